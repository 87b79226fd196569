// Sounds are small scores, played by oscillators and noise: static/gifts/sounds.json, name -> list of notes
// [at_s, pitch (MIDI), length_s, wave, gain, slide_to (MIDI, optional)]. The wave `noise` is filtered at its pitch.

const SCORES = new URL('../../gifts/sounds.json', import.meta.url);
const VOICES_MAX = 40;
const SMALL_GAP_S = .09;

const hertz = midi => 440 * 2 ** ((midi - 69) / 12);

export class Sound {
  #context = null;
  #out = null;
  #noise = null;
  #scores = null;
  #voices = 0;
  #last_s = -1;

  constructor({ muted = true, volume = .6 }) {
    this.muted = muted;
    this.volume = volume;
  }

  /** Play a score, unless muted or too much sounds already. Browsers allow it after the first touch of the page. */
  async play(name) {
    if (this.muted || this.volume <= 0 || !name) return;
    this.#open();
    this.#scores ??= fetch(SCORES).then(response => (response.ok ? response.json() : {})).catch(() => ({}));
    const score = (await this.#scores)[name];
    const context = this.#context;
    if (!score || !context || context.state !== 'running') return;
    const now_s = context.currentTime;
    if (now_s - this.#last_s < SMALL_GAP_S || this.#voices + score.length > VOICES_MAX) return;
    this.#last_s = now_s;
    this.#out.gain.value = this.volume * .5;
    for (const note of score) this.#note(now_s, note);
  }

  destroy() {
    this.#context?.close();
    this.#context = null;
  }

  #open() {
    if (!this.#context) {
      this.#context = new AudioContext();
      this.#out = this.#context.createGain();
      const limiter = this.#context.createDynamicsCompressor();
      this.#out.connect(limiter).connect(this.#context.destination);
      const length = this.#context.sampleRate;
      this.#noise = this.#context.createBuffer(1, length, length);
      const samples = this.#noise.getChannelData(0);
      for (let i = 0; i < length; i += 1) samples[i] = Math.random() * 2 - 1;
    }
    if (this.#context.state === 'suspended') this.#context.resume().catch(() => {});
  }

  #note(now_s, [at_s, pitch, length_s, wave, gain, slide_to]) {
    const context = this.#context, from_s = now_s + at_s, to_s = from_s + length_s;
    const level = context.createGain();
    const attack_s = Math.min(.25 * length_s, wave === 'noise' || length_s > 1 ? .12 : .012);
    level.gain.setValueAtTime(0, from_s);
    level.gain.linearRampToValueAtTime(gain, from_s + attack_s);
    level.gain.exponentialRampToValueAtTime(.0008, to_s);
    level.connect(this.#out);
    const source = wave === 'noise' ? this.#hiss(level, pitch, slide_to, from_s, to_s) : this.#tone(level, wave, pitch, slide_to, from_s, to_s);
    this.#voices += 1;
    source.onended = () => {
      this.#voices -= 1;
      level.disconnect();
    };
    source.start(from_s);
    source.stop(to_s + .02);
  }

  #tone(level, wave, pitch, slide_to, from_s, to_s) {
    const source = this.#context.createOscillator();
    source.type = wave;
    source.frequency.setValueAtTime(hertz(pitch), from_s);
    if (slide_to !== undefined) source.frequency.exponentialRampToValueAtTime(hertz(slide_to), to_s);
    source.connect(level);
    return source;
  }

  #hiss(level, pitch, slide_to, from_s, to_s) {
    const source = this.#context.createBufferSource(), filter = this.#context.createBiquadFilter();
    source.buffer = this.#noise;
    source.loop = true;
    filter.type = 'bandpass';
    filter.Q.value = .8;
    filter.frequency.setValueAtTime(hertz(pitch), from_s);
    if (slide_to !== undefined) filter.frequency.exponentialRampToValueAtTime(hertz(slide_to), to_s);
    source.connect(filter).connect(level);
    return source;
  }
}
