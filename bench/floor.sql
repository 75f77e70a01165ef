-- The floor: what Kafka and PostgreSQL must spend on the same messages anyway. One plain table with one index.
drop table if exists floor;

create table floor (
    value_hash uuid primary key,
    value json not null
);
