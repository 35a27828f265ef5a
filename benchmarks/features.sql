-- The member views as a person would write them for DuckDB alone, at one moment, {as_of}.
-- Every statement reads the columns it needs of {events}; windows are day numbers, so that one pass
-- over the sessions (items, orders) of a member fills all of them.
CREATE TEMP TABLE zoned AS SELECT member_id AS m, timezone AS zone FROM {members};
CREATE TEMP TABLE known AS SELECT member_id AS m,
    max(CASE WHEN type IN {clicks} THEN epoch_us(occurred_at) // 1000000 END) AS last_click
FROM {events} WHERE occurred_at < {as_of} AND known_at < {as_of} GROUP BY ALL;
CREATE TEMP TABLE roster AS SELECT m FROM known UNION SELECT m FROM zoned;
CREATE TEMP TABLE sessions AS SELECT member_id AS m, session_id AS s, device,
    min(epoch_us(occurred_at) // 1000000) AS started, count(*) AS clicks,
    max({day}) AS last_day,
    sum((type = 'view')::INT * ({day} >= {today} - 7)::INT) AS views_7d,
    sum((type = 'view')::INT * ({day} >= {today} - 30)::INT) AS views_30d,
    sum((type = 'view')::INT) AS views_90d,
    sum((type = 'search')::INT * ({day} >= {today} - 30)::INT) AS searches_30d,
    sum((type = 'add_to_cart')::INT * ({day} >= {today} - 30)::INT) AS carts_30d
FROM {events} WHERE type IN {clicks} AND occurred_at < {as_of} AND known_at < {as_of}
    AND occurred_at >= {as_of} - INTERVAL 90 DAY GROUP BY ALL;
CREATE TEMP TABLE local_sessions AS SELECT m, device, clicks, last_day, views_7d, views_30d,
    views_90d, searches_30d, carts_30d,
    epoch(timezone(coalesce(zone, 'UTC'), to_timestamp(started)))::BIGINT AS local
FROM sessions LEFT JOIN zoned USING (m);
CREATE TEMP TABLE touched AS SELECT member_id AS m, item_id AS i,
    min(CASE WHEN type = 'view' THEN occurred_at END) AS viewed,
    max(CASE WHEN type = 'purchase' THEN occurred_at END) AS bought,
    max(CASE WHEN type = 'add_to_cart' AND {day} >= {today} - 30 THEN occurred_at END) AS added,
    max(CASE WHEN type IN ('purchase', 'remove_from_cart') THEN occurred_at END) AS gone,
    max(CASE WHEN type = 'add_to_cart' AND {day} >= {today} - 30
        THEN coalesce(quantity, 1) * unit_price END) AS worth
FROM {events} WHERE item_id IS NOT NULL AND occurred_at < {as_of} AND known_at < {as_of}
    AND type IN ('view', 'add_to_cart', 'remove_from_cart', 'purchase')
    AND occurred_at >= {as_of} - INTERVAL 90 DAY GROUP BY ALL;
CREATE TEMP TABLE carts AS SELECT m, count(viewed) AS viewed, sum((bought >= viewed)::INT) AS bought,
    sum(left_there::INT) AS abandoned, max(CASE WHEN left_there THEN added END) AS abandoned_at,
    sum(CASE WHEN left_there THEN coalesce(worth, price, 0) END) AS abandoned_value
FROM (SELECT *, added IS NOT NULL AND coalesce(gone < added, true) AS left_there FROM touched)
    LEFT JOIN (SELECT item_id AS i, price::DOUBLE AS price FROM {items}) USING (i) GROUP BY m;
COPY (SELECT m AS member_id, {stamp},
    coalesce(sessions_7d, 0)::DOUBLE AS sessions_7d, coalesce(sessions_30d, 0)::DOUBLE AS sessions_30d,
    coalesce(views_7d, 0)::DOUBLE AS views_7d, coalesce(views_30d, 0)::DOUBLE AS views_30d,
    coalesce(views_90d, 0)::DOUBLE AS views_90d, coalesce(searches_30d, 0)::DOUBLE AS searches_30d,
    coalesce(carts_30d, 0)::DOUBLE AS carts_30d,
    coalesce(abandoned, 0)::DOUBLE AS abandoned_carts_30d,
    coalesce(abandoned_value, 0)::DOUBLE AS abandoned_value_30d,
    ({now} - epoch_us(abandoned_at) // 1000000) / 86400.0 AS abandoned_age_days,
    coalesce(bought, 0) / nullif(viewed, 0)::DOUBLE AS view_to_buy_90d,
    ({now} - last_click) / 86400.0 AS last_seen_days,
    evenings / n::DOUBLE AS evening_share_90d, weekends / n::DOUBLE AS weekend_share_90d,
    usual_hour::DOUBLE AS usual_hour, device
FROM roster LEFT JOIN known USING (m) LEFT JOIN carts USING (m) LEFT JOIN (
    SELECT m, count(*) AS n, sum((last_day >= {today} - 7)::INT) AS sessions_7d,
        sum((last_day >= {today} - 30)::INT) AS sessions_30d, sum(views_7d) AS views_7d,
        sum(views_30d) AS views_30d, sum(views_90d) AS views_90d,
        sum(searches_30d) AS searches_30d, sum(carts_30d) AS carts_30d,
        sum((local % 86400 >= 64800)::INT) AS evenings, sum((local // 86400 % 7 IN (2, 3))::INT) AS weekends
    FROM local_sessions GROUP BY m) USING (m)
LEFT JOIN (SELECT m, 23 - max(n * 24 + 23 - hour) % 24 AS usual_hour FROM (
    SELECT m, local % 86400 // 3600 AS hour, count(*) AS n FROM local_sessions GROUP BY ALL)
    GROUP BY m) USING (m)
LEFT JOIN (SELECT m, device FROM (SELECT m, device, sum(clicks) AS n FROM local_sessions
    WHERE device IS NOT NULL GROUP BY ALL)
    QUALIFY row_number() OVER (PARTITION BY m ORDER BY n DESC, device) = 1) USING (m)
ORDER BY 1) TO '{out}/clickstream.parquet' (FORMAT parquet);
CREATE TEMP TABLE interest AS SELECT member_id AS m, coalesce(e.category, i.category) AS c,
    sum(weight * round(1e9 * exp(({today} - 1 - {day}) * -ln(2) / 30))::BIGINT) AS units,
    max(CASE WHEN type != 'purchase' THEN epoch_us(occurred_at) // 1000000 END) AS seen,
    max(CASE WHEN type = 'purchase' THEN epoch_us(occurred_at) // 1000000 END) AS bought,
    min({day}) AS first_day, max({day}) AS last_day,
    count(CASE WHEN type = 'purchase' AND {day} >= {today} - 365 THEN unit_price END) AS priced,
    sum(CASE WHEN type = 'purchase' AND {day} >= {today} - 365 THEN unit_price END) AS paid
FROM {events} AS e JOIN (VALUES ('view', 1), ('search', 1), ('wishlist', 2), ('add_to_cart', 3),
    ('purchase', 5)) AS weights (type, weight) USING (type)
    LEFT JOIN (SELECT item_id, category FROM {items}) AS i USING (item_id)
WHERE occurred_at < {as_of} AND known_at < {as_of} AND coalesce(e.category, i.category) IS NOT NULL
GROUP BY ALL;
COPY (SELECT m AS member_id, {stamp}, * EXCLUDE (m, top, top_rank),
    CASE WHEN top_rank IS NULL THEN NULL ELSE coalesce(top, 'other') END AS top_category
FROM roster LEFT JOIN (
    SELECT m, {wide}, max(units * 64 + 63 - coalesce(rank, 63)) % 64 AS top_rank,
        sum((first_day >= {today} - 90)::INT) / nullif(sum((last_day >= {today} - 90)::INT), 0)
            AS novelty_90d,
        sum(paid)::DOUBLE / nullif(sum(usual::DECIMAL(38, 4))::DOUBLE, 0) AS price_level
    FROM (SELECT *, coalesce(mean, 0) * priced AS usual, units / 1e9 AS interest,
            ({now} - seen) / 86400.0 AS seen_days, ({now} - bought) / 86400.0 AS bought_days
        FROM interest JOIN (SELECT c, sum(paid)::DOUBLE / nullif(sum(priced), 0) AS mean
            FROM interest GROUP BY c) USING (c)
            LEFT JOIN {vocabulary} AS vocabulary USING (c)) GROUP BY m) USING (m)
    LEFT JOIN (SELECT 63 - rank AS top_rank, c AS top FROM {vocabulary}) USING (top_rank)
ORDER BY 1) TO '{out}/affinity.parquet' (FORMAT parquet);
CREATE TEMP TABLE orders AS SELECT member_id AS m, coalesce(order_id, event_id) AS o,
    min(CASE WHEN buys THEN day END) AS day, max(CASE WHEN buys THEN second END) AS last_second,
    min(CASE WHEN buys THEN second END) // 86400 AS date,
    sum(CASE WHEN buys THEN net END) AS bought, sum(CASE WHEN buys THEN gross END) AS gross,
    sum(CASE WHEN buys AND discount > 0 THEN gross END) AS discounted,
    sum(CASE WHEN buys AND discount > 0 THEN discount END) AS discount,
    sum(CASE WHEN NOT buys THEN -net END) AS refunded, {net_windows}
FROM (SELECT *, type = 'purchase' AS buys, epoch_us(occurred_at) // 1000000 AS second, {day} AS day,
        CASE WHEN type = 'purchase' THEN gross - coalesce(discount, 0) ELSE -gross END AS net
    FROM (SELECT *, abs(coalesce(quantity, 1) * unit_price)::DECIMAL(18, 4) AS gross FROM {events}
        WHERE type IN ('purchase', 'refund') AND occurred_at < {as_of} AND known_at < {as_of}))
GROUP BY ALL;
CREATE TEMP TABLE habits AS SELECT m, min(day) AS first_day, max(last_second) AS last_second,
    sum(orders) AS orders_life, sum((day >= {today} - 365)::INT) AS buying_days_365d,
    max(biggest) AS biggest, count(gap) AS gaps, sum(gap) AS gap_sum, stddev_samp(gap) AS gap_sd,
    {sums}
FROM (SELECT *, date - lag(date) OVER (PARTITION BY m ORDER BY date) AS gap FROM (
    SELECT m, date, min(day) AS day, max(last_second) AS last_second, count(day) AS orders,
        max(CASE WHEN day IS NOT NULL THEN bought END) AS biggest, {order_windows}, {order_sums}
    FROM orders GROUP BY ALL)) GROUP BY m;
CREATE TEMP TABLE ranked AS SELECT *, orders_life > 0 AS buyer,
    CASE WHEN orders_life > 0 THEN {quintile_r} END AS r_quintile,
    CASE WHEN orders_life > 0 THEN {quintile_f} END AS f_quintile,
    CASE WHEN orders_life > 0 THEN {quintile_m} END AS m_quintile
FROM habits;
COPY (SELECT m AS member_id, {stamp}, ({now} - last_second) / 86400.0 AS recency_days,
    {window_columns}, coalesce(orders_life, 0)::DOUBLE AS orders_life,
    (coalesce(bought, 0) - coalesce(refunded, 0))::DOUBLE AS spend_life,
    bought / nullif(orders_life, 0)::DOUBLE AS average_order, gap_sum / gaps::DOUBLE AS gap_mean_days,
    gap_sd AS gap_sd_days, ({now} - last_second) / 86400.0 / (gap_sum / gaps) AS overdue_ratio,
    coalesce(refunded, 0) / nullif(bought, 0)::DOUBLE AS refund_share,
    biggest / nullif(bought, 0)::DOUBLE AS biggest_order_share, r_quintile, f_quintile, m_quintile
FROM roster LEFT JOIN ranked USING (m) ORDER BY 1)
TO '{out}/purchases.parquet' (FORMAT parquet);
COPY (SELECT m AS member_id, {stamp},
    coalesce(discounted, 0) / nullif(gross, 0)::DOUBLE AS discount_share,
    CASE WHEN gross > 0 THEN coalesce(discount / discounted, 0) END::DOUBLE AS discount_depth,
    NULL::DOUBLE AS coupon_redemption
FROM roster LEFT JOIN habits USING (m) ORDER BY 1) TO '{out}/price.parquet' (FORMAT parquet);
COPY (WITH late AS (SELECT *, ({now} - last_second) / 86400.0 / greatest(7, exp(
        (coalesce(ln(gap_sum / gaps), 0) * gaps + ln(usual)) / (gaps + 1))) AS lateness
    FROM habits CROSS JOIN (SELECT coalesce(median(gap_sum / gaps), 90) AS usual FROM habits)),
tiers AS (SELECT m, (row_number() OVER (ORDER BY net_365 DESC, last_second DESC, m) - 1)
        / count(*) OVER () AS share FROM habits WHERE orders_365 > 0)
SELECT m AS member_id, {stamp}, CASE WHEN coalesce(orders_life, 0) = 0 THEN 'never_bought'
    WHEN first_day >= {today} - 30 THEN 'new' WHEN lateness > 3 THEN 'lapsed'
    WHEN lateness > 1.5 THEN 'slipping' WHEN buying_days_365d >= 4 THEN 'loyal' ELSE 'active'
    END AS lifecycle, CASE WHEN share < 0.1 THEN 'gold' WHEN share < 0.4 THEN 'silver'
    WHEN share IS NOT NULL THEN 'bronze' ELSE 'none' END AS value_tier
FROM roster LEFT JOIN late USING (m) LEFT JOIN tiers USING (m) ORDER BY 1)
TO '{out}/lifecycle.parquet' (FORMAT parquet);
COPY (SELECT m AS member_id, {stamp},
    ({now} - epoch_us(joined_at) // 1000000) / 86400.0 AS tenure_days, tier, points_balance,
    {year} - birth_year::DOUBLE AS age, timezone, consent_push::INT::DOUBLE AS consent_push,
    NULL::DOUBLE AS points_expire_days, NULL::VARCHAR AS gender, NULL::VARCHAR AS region,
    NULL::DOUBLE AS consent_email, NULL::DOUBLE AS consent_sms
FROM roster LEFT JOIN {members} AS members ON members.member_id = roster.m ORDER BY 1)
TO '{out}/membership.parquet' (FORMAT parquet);
