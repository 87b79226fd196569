// The few words the layer says. Everything else on it is a name, a gift or a number.

const WORDS = {
  en: { sends: 'sends', thanks: 'Thank you', small: (n, people) => `+${n} small ${n === '1' ? 'gift' : 'gifts'} from ${people} ${people === '1' ? 'person' : 'people'}`, waiting: n => `${n} waiting` },
  de: { sends: 'schickt', thanks: 'Danke', small: (n, people) => `+${n} kleine ${n === '1' ? 'Gabe' : 'Gaben'} von ${people} ${people === '1' ? 'Person' : 'Leuten'}`, waiting: n => `${n} warten` },
  es: { sends: 'envía', thanks: 'Gracias', small: (n, people) => `+${n} ${n === '1' ? 'regalito' : 'regalitos'} de ${people} ${people === '1' ? 'persona' : 'personas'}`, waiting: n => `${n} en espera` },
  ja: { sends: 'から', thanks: 'ありがとう', small: (n, people) => `${people}人から小さなギフト +${n}`, waiting: n => `あと${n}件` },
};

export const wordsFor = language => WORDS[language] ?? WORDS.en;

/** The gift's name in `language`, else in English, else its id. */
export const giftName = (gift, language) => gift.name?.[language] ?? gift.name?.en ?? gift.id;

export const number = (value, language) => value.toLocaleString(language);
