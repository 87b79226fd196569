-- The design without Redis: one PostgreSQL transaction for each gift, in one round trip.
-- It is kept generous to this side: no platform accounts (they would be hot in every gift), no chain, no day sums,
-- two entries instead of four, and the creator, who may be hot, is locked as late as possible.

CREATE TABLE plain_account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner text NOT NULL UNIQUE,
    balance bigint NOT NULL CHECK (balance >= 0)
) WITH (fillfactor = 50);

CREATE TABLE plain_transfer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sender text NOT NULL,
    key uuid NOT NULL,
    request_hash text NOT NULL,
    creator text NOT NULL,
    coins bigint NOT NULL,
    diamonds bigint NOT NULL,
    payload bytea NOT NULL,
    balance_after bigint,
    event_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (sender, key)
);

CREATE TABLE plain_entry (
    transfer bigint NOT NULL,
    n smallint NOT NULL,
    account bigint NOT NULL,
    amount bigint NOT NULL,
    balance_after bigint NOT NULL,
    PRIMARY KEY (transfer, n)
);

CREATE FUNCTION plain_send(
    by text, with_key uuid, with_hash text, recipient text, price bigint, worth bigint, event bytea
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    number bigint;
    payer bigint;
    payer_left bigint;
    payee bigint;
    payee_has bigint;
BEGIN
    INSERT INTO plain_transfer (sender, key, request_hash, creator, coins, diamonds, payload)
        VALUES (by, with_key, with_hash, recipient, price, worth, event)
        ON CONFLICT (sender, key) DO NOTHING RETURNING id INTO number;
    IF number IS NULL THEN
        SELECT id INTO number FROM plain_transfer
            WHERE sender = by AND key = with_key AND request_hash = with_hash;
        IF number IS NULL THEN RAISE EXCEPTION 'KEY_REUSED'; END IF;
        RETURN number;
    END IF;
    UPDATE plain_account SET balance = balance - price WHERE owner = by AND balance >= price
        RETURNING id, balance INTO payer, payer_left;
    IF payer IS NULL THEN RAISE EXCEPTION 'INSUFFICIENT'; END IF;
    UPDATE plain_account SET balance = balance + worth WHERE owner = recipient
        RETURNING id, balance INTO payee, payee_has;
    IF payee IS NULL THEN RAISE EXCEPTION 'NO_CREATOR'; END IF;
    INSERT INTO plain_entry (transfer, n, account, amount, balance_after)
        VALUES (number, 1, payer, -price, payer_left), (number, 2, payee, worth, payee_has);
    RETURN number;
END $$;
