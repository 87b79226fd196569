-- People with a wallet of :coins each, as their credits would have left them: all of it in one transaction.
WITH person AS (
    INSERT INTO transfer (kind, coins, reference, event_at)
    SELECT 'grant', :coins, 'bench:person-' || n, now() FROM generate_series(1, :people) AS n
    RETURNING id, substr(reference, 7) AS name
), wallet AS (
    INSERT INTO account (kind, owner, asset, balance, version)
    SELECT 'wallet', name, 'coins', :coins, 1 FROM person ORDER BY name RETURNING id, owner
), sold AS (
    UPDATE account SET balance = balance - CAST(:coins AS bigint) * :people, version = version + :people
    WHERE kind = 'coins_sold'
    RETURNING id, balance + CAST(:coins AS bigint) * :people AS balance, version - :people AS version
), numbered AS (
    SELECT person.id, person.name, wallet.id AS wallet, row_number() OVER (ORDER BY person.id) AS n
    FROM person JOIN wallet ON wallet.owner = person.name
), line AS (
    SELECT numbered.id AS transfer, 1 AS n, sold.id AS account, sold.version + numbered.n AS version,
        -CAST(:coins AS bigint) AS amount, sold.balance - CAST(:coins AS bigint) * numbered.n AS balance_after
    FROM numbered, sold
    UNION ALL SELECT id, 2, wallet, 1, :coins, :coins FROM numbered
), posted AS (
    INSERT INTO entry (transfer, n, account, version, amount, balance_after)
    SELECT transfer, n, account, version, amount, balance_after FROM line
)
INSERT INTO credit_outbox (user_id, credit_no, transfer, coins, applied_at)
SELECT name, 1, id, :coins, now() FROM numbered
