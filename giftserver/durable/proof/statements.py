"""SQL of the proof: each query returns one line of text for each violation, with the ids to look at."""

from typing import Final

NEXT_RANGE: Final = """
    SELECT count(*) AS rows, max(id) AS upto FROM (
        SELECT id FROM {table} WHERE id > :after ORDER BY id LIMIT :n
    ) AS next_rows
"""

UNBALANCED: Final = """
    SELECT format('transfer %s: %s', coalesce(told.transfer, t.id), CASE
            WHEN t.id IS NULL THEN 'entries without a transfer'
            WHEN told.transfer IS NULL THEN 'no entries'
            WHEN told.nameless THEN 'an entry of an account that is not there'
            WHEN told.sums IS NOT NULL THEN 'entries sum to ' || told.sums
            ELSE 'entries are not numbered 1, 2, …' END)
    FROM (SELECT id FROM transfer WHERE id > :after AND id <= :upto) AS t
    FULL JOIN (
        SELECT transfer, bool_or(asset IS NULL) AS nameless, max(last_n) AS last_n, sum(lines) AS lines,
            string_agg(total || ' ' || asset, ', ') FILTER (WHERE total <> 0) AS sums
        FROM (
            SELECT e.transfer, a.asset, sum(e.amount) AS total, max(e.n) AS last_n, count(*) AS lines
            FROM entry AS e LEFT JOIN account AS a ON a.id = e.account
            WHERE e.transfer > :after AND e.transfer <= :upto GROUP BY e.transfer, a.asset
        ) AS summed GROUP BY transfer
    ) AS told ON told.transfer = t.id
    WHERE t.id IS NULL OR told.transfer IS NULL OR told.nameless OR told.sums IS NOT NULL
        OR told.last_n <> told.lines
"""

UNLIKE_GIFT: Final = """
    SELECT format('transfer %s: entries are not those of a gift of %s coins and %s diamonds', t.id, t.coins, t.diamonds)
    FROM transfer AS t LEFT JOIN entry AS e ON e.transfer = t.id LEFT JOIN account AS a ON a.id = e.account
    WHERE t.kind = 'gift' AND t.id > :after AND t.id <= :upto
    GROUP BY t.id
    HAVING coalesce(sum(e.amount) FILTER (WHERE a.kind = 'wallet' AND a.owner = t.sender), 0) <> -t.coins
        OR coalesce(sum(e.amount) FILTER (WHERE a.kind = 'gifts_spent'), 0) <> t.coins
        OR coalesce(sum(e.amount) FILTER (WHERE a.kind = 'diamonds_issued'), 0) <> -t.diamonds
        OR coalesce(sum(e.amount) FILTER (WHERE a.kind = 'earnings' AND a.owner = t.creator), 0) <> t.diamonds
        OR count(e.n) <> CASE WHEN t.diamonds > 0 THEN 4 ELSE 2 END
"""

UNLIKE_REFUND: Final = """
    SELECT format('transfer %s: it is not transfer %s the other way round', r.id, r.reverses)
    FROM transfer AS r LEFT JOIN transfer AS g ON g.id = r.reverses AND g.kind = 'gift'
    WHERE r.reverses IS NOT NULL AND (
        r.kind <> 'refund'
        OR (r.coins, r.diamonds, r.sender, r.creator, r.room, r.gift, r.quantity)
            IS DISTINCT FROM (g.coins, g.diamonds, g.sender, g.creator, g.room, g.gift, g.quantity)
        OR EXISTS (
            SELECT FROM (SELECT account, amount FROM entry WHERE transfer = r.id) AS back
            FULL JOIN (SELECT account, -amount AS amount FROM entry WHERE transfer = g.id) AS given
                USING (account, amount)
            WHERE back.account IS NULL OR given.account IS NULL))
"""

REFUND_UNASKED: Final = """
    SELECT format('transfer %s gives %s back, refund_due says %s for it', r.id, r.reverses,
        coalesce(d.refund::text, 'nothing'))
    FROM (SELECT id, reverses FROM transfer WHERE reverses IS NOT NULL) AS r
    FULL JOIN (SELECT * FROM refund_due WHERE refund IS NOT NULL) AS d ON d.gift = r.reverses
    WHERE d.refund IS DISTINCT FROM r.id
"""

LATE_AND_KEPT: Final = """
    SELECT format('transfer %s came while room %s was closed, and nobody gives it back', t.id, t.room)
    FROM room_closing AS c JOIN transfer AS t ON t.room = c.room AND t.kind = 'gift'
        AND t.event_at > timestamptz 'epoch' + c.closed_ms * interval '1 ms'
        AND t.event_at <= timestamptz 'epoch' + (c.closed_ms + 60000) * interval '1 ms'
        AND (c.opened_ms IS NULL OR t.event_at < timestamptz 'epoch' + c.opened_ms * interval '1 ms')
    WHERE t.id > :after AND t.id <= :upto AND NOT EXISTS (SELECT FROM refund_due AS d WHERE d.gift = t.id)
"""

WRONG_BALANCE: Final = """
    SELECT format('account %s (%s of %s): balance %s at version %s, entries: %s in %s', a.id, a.kind, a.owner,
        a.balance, a.version, coalesce(posted.total, 0), coalesce(posted.lines, 0))
    FROM account AS a LEFT JOIN (
        SELECT account, sum(amount) AS total, count(*) AS lines, max(version) AS version FROM entry
        WHERE account > :after AND account <= :upto GROUP BY account
    ) AS posted ON posted.account = a.id
    WHERE a.id > :after AND a.id <= :upto AND (a.balance <> coalesce(posted.total, 0)
        OR a.version <> coalesce(posted.lines, 0) OR a.version <> coalesce(posted.version, 0))
"""

BROKEN_CHAIN: Final = """
    SELECT format('account %s: entry at version %s (transfer %s) leaves %s, after %s and %s', account, version,
        transfer, balance_after, before, amount)
    FROM (
        SELECT account, version, transfer, amount, balance_after,
            lag(balance_after, 1, 0::bigint) OVER earlier AS before,
            lag(version, 1, 0::bigint) OVER earlier AS version_before
        FROM entry WHERE account > :after AND account <= :upto
        WINDOW earlier AS (PARTITION BY account ORDER BY version)
    ) AS chained
    WHERE balance_after <> before + amount OR version <> version_before + 1
"""

COUNT_GIFTS: Final = "SELECT count(*) FROM transfer WHERE id >= :first AND id < :end"

BROKEN_SEQUENCE: Final = """
    SELECT format('shard %s: gift %s-%s comes after seq %s', CAST(:shard AS integer), epoch, seq, seq_before)
    FROM (
        SELECT epoch, seq, shard, kind, lag(seq, 1, 0::bigint) OVER (ORDER BY id) AS seq_before
        FROM transfer WHERE id >= :first AND id < :end
    ) AS numbered
    WHERE seq IS DISTINCT FROM seq_before + 1 OR shard IS DISTINCT FROM :shard OR kind <> 'gift'
"""

CURSOR_ELSEWHERE: Final = """
    SELECT format('shard %s: the flush cursor is %s-%s, the last gift %s-%s', CAST(:shard AS integer), c.epoch, c.seq,
        coalesce(last.epoch, 0), coalesce(last.seq, 0))
    FROM (SELECT 1) AS one LEFT JOIN flush_cursor AS c ON c.shard = :shard
    LEFT JOIN (
        SELECT epoch, seq FROM transfer WHERE id >= :first AND id < :end ORDER BY id DESC LIMIT 1
    ) AS last ON true
    WHERE (c.epoch, c.seq) IS DISTINCT FROM (coalesce(last.epoch, 0), coalesce(last.seq, 0::bigint))
"""

COUNT_KEYS: Final = "SELECT count(key) FROM transfer"

KEY_CONSTRAINT_MISSING: Final = """
    SELECT 'the unique constraint on (sender, key) is missing or not valid' WHERE NOT EXISTS (
        SELECT FROM pg_constraint AS c JOIN pg_index AS i ON i.indexrelid = c.conindid
        WHERE c.conrelid = 'transfer'::regclass AND c.contype = 'u' AND i.indisunique AND i.indisvalid
            AND c.conkey = ARRAY(SELECT attnum FROM pg_attribute
                WHERE attrelid = 'transfer'::regclass AND attname IN ('sender', 'key') ORDER BY attnum)
    )
"""

REPEATED_KEY: Final = """
    SELECT format('sender %s, key %s: %s transfers (%s …)', sender, key, count(*), min(id))
    FROM transfer WHERE key IS NOT NULL GROUP BY sender, key HAVING count(*) > 1
"""

COUNT_CREDITS: Final = "SELECT count(*) FROM credit_outbox"

MISNUMBERED_CREDIT: Final = """
    SELECT format('user %s: credit %s comes after %s', user_id, credit_no, before)
    FROM (
        SELECT user_id, credit_no,
            lag(credit_no, 1, 0::bigint) OVER (PARTITION BY user_id ORDER BY credit_no) AS before
        FROM credit_outbox
    ) AS numbered WHERE credit_no <> before + 1
"""

# What moves a wallet beside gifts is in the outbox, with as many coins; of credits these are the transfer's.
CREDIT_UNLIKE_TRANSFER: Final = """
    SELECT format('transfer %s: %s coins, its wallet entries %s, the outbox has %s for %s', t.id, t.coins,
        coalesce(w.amount, 0), coalesce(c.coins, 0), coalesce(c.user_id, 'nobody'))
    FROM transfer AS t FULL JOIN credit_outbox AS c ON c.transfer = t.id
    LEFT JOIN (
        SELECT e.transfer, a.owner, e.amount FROM entry AS e JOIN account AS a ON a.id = e.account
        WHERE a.kind = 'wallet'
    ) AS w ON w.transfer = t.id
    WHERE t.kind IS DISTINCT FROM 'gift' AND (t.id IS NULL OR w.amount IS DISTINCT FROM c.coins
        OR w.owner IS DISTINCT FROM c.user_id
        OR t.kind NOT LIKE 'claim%' AND t.kind NOT LIKE 'payout%' AND t.kind <> 'adjustment'
            AND c.coins IS DISTINCT FROM t.coins)
"""

BELOW_ZERO: Final = """
    SELECT format('account %s (%s of %s): balance %s', id, kind, owner, balance)
    FROM account WHERE balance < 0 AND kind NOT IN ('coins_sold', 'diamonds_issued', 'promotions', 'revenue',
        'clearing', 'owed_to_platform', 'adjustments')
"""

WAS_BELOW_ZERO: Final = """
    SELECT format('account %s (%s of %s): %s after transfer %s', a.id, a.kind, a.owner, e.balance_after, e.transfer)
    FROM entry AS e JOIN account AS a ON a.id = e.account
    WHERE e.balance_after < 0 AND a.kind NOT IN ('coins_sold', 'diamonds_issued', 'promotions', 'revenue', 'clearing',
        'owed_to_platform', 'adjustments')
"""

WRONG_DAY: Final = """
    SELECT format('%s in room %s on %s, shard %s: %s gifts, %s coins, %s diamonds; the gifts sum to %s, %s, %s',
        coalesce(d.creator, g.creator), coalesce(d.room, g.room), coalesce(d.day, g.day), CAST(:shard AS integer),
        coalesce(d.gifts, 0), coalesce(d.coins, 0), coalesce(d.diamonds, 0),
        coalesce(g.gifts, 0), coalesce(g.coins, 0), coalesce(g.diamonds, 0))
    FROM (SELECT * FROM gift_day WHERE shard = :shard) AS d
    FULL JOIN (
        SELECT creator, (event_at AT TIME ZONE 'UTC')::date AS day, room, count(*) AS gifts,
            sum(coins) AS coins, sum(diamonds) AS diamonds
        FROM transfer WHERE id >= :first AND id < :end GROUP BY 1, 2, 3
    ) AS g ON (d.creator, d.day, d.room) = (g.creator, g.day, g.room)
    WHERE (d.gifts, d.coins, d.diamonds) IS DISTINCT FROM (g.gifts, g.coins, g.diamonds)
"""

WRONG_REFUNDED_DAY: Final = """
    SELECT format('%s in room %s on %s, shard %s: %s gifts of %s coins and %s diamonds given back; the refunds say %s',
        coalesce(d.creator, g.creator), coalesce(d.room, g.room), coalesce(d.day, g.day), coalesce(d.shard, g.shard),
        coalesce(d.refunded_gifts, 0), coalesce(d.refunded_coins, 0), coalesce(d.refunded_diamonds, 0),
        format('%s, %s, %s', coalesce(g.gifts, 0), coalesce(g.coins, 0), coalesce(g.diamonds, 0)))
    FROM (SELECT * FROM gift_day WHERE (refunded_gifts, refunded_coins, refunded_diamonds) <> (0, 0, 0)) AS d
    FULL JOIN (
        SELECT t.creator, (t.event_at AT TIME ZONE 'UTC')::date AS day, t.room, t.shard, count(*) AS gifts,
            sum(t.coins) AS coins, sum(t.diamonds) AS diamonds
        FROM transfer AS r JOIN transfer AS t ON t.id = r.reverses WHERE r.reverses IS NOT NULL GROUP BY 1, 2, 3, 4
    ) AS g ON (d.creator, d.day, d.room, d.shard) = (g.creator, g.day, g.room, g.shard)
    WHERE (d.refunded_gifts, d.refunded_coins, d.refunded_diamonds)
        IS DISTINCT FROM (g.gifts, g.coins, g.diamonds)
"""

TRIGGERS_IN_FORCE: Final = """
    SELECT c.relname, t.tgname FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
    WHERE t.tgenabled IN ('O', 'A') AND c.relnamespace = 'public'::regnamespace
"""

CONSTRAINTS_IN_FORCE: Final = """
    SELECT c.relname, o.conname FROM pg_constraint AS o JOIN pg_class AS c ON c.oid = o.conrelid
    WHERE o.convalidated AND c.relnamespace = 'public'::regnamespace
"""
