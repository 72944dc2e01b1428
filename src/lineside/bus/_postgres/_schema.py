"""The tables and functions of the bus on PostgreSQL.

Each function is one statement for its caller, so one round trip and one transaction. A stream's row is
locked until the commit: offsets are given, and seen, in the order of the commits.
"""

from typing import Final

__all__ = ["MARK", "SCHEMA"]

MARK: Final = "lineside bus, version 2"
"""The comment on ``lineside_bus_streams`` that says that everything is there."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS lineside_bus_streams (
    namespace text NOT NULL, stream text NOT NULL, epoch text NOT NULL, last_seq bigint NOT NULL DEFAULT 0,
    evicted_at double precision, used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (namespace, stream));
CREATE TABLE IF NOT EXISTS lineside_bus_messages (
    namespace text NOT NULL, stream text NOT NULL, seq bigint NOT NULL,
    published_at double precision NOT NULL, expires_at timestamptz NOT NULL, envelope bytea NOT NULL,
    PRIMARY KEY (namespace, stream, seq));
CREATE INDEX IF NOT EXISTS lineside_bus_messages_expiry ON lineside_bus_messages (expires_at);
CREATE TABLE IF NOT EXISTS lineside_bus_keys (
    namespace text NOT NULL, stream text NOT NULL, key text NOT NULL, seq bigint NOT NULL, id text NOT NULL,
    expires_at timestamptz NOT NULL, PRIMARY KEY (namespace, stream, key));
CREATE INDEX IF NOT EXISTS lineside_bus_keys_expiry ON lineside_bus_keys (expires_at);
CREATE TABLE IF NOT EXISTS lineside_bus_payloads (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, envelope bytea NOT NULL,
    expires_at timestamptz NOT NULL);
CREATE INDEX IF NOT EXISTS lineside_bus_payloads_expiry ON lineside_bus_payloads (expires_at);
CREATE TABLE IF NOT EXISTS lineside_bus_members (
    namespace text NOT NULL, grp text NOT NULL, member text NOT NULL, info text NOT NULL,
    until timestamptz, PRIMARY KEY (namespace, grp, member));
CREATE INDEX IF NOT EXISTS lineside_bus_members_until
    ON lineside_bus_members (namespace, until) WHERE until IS NOT NULL;
CREATE TABLE IF NOT EXISTS lineside_bus_sessions (
    namespace text NOT NULL, grp text NOT NULL, member text NOT NULL, session text NOT NULL,
    node text NOT NULL, PRIMARY KEY (namespace, grp, member, session));
CREATE INDEX IF NOT EXISTS lineside_bus_sessions_node ON lineside_bus_sessions (namespace, node);
CREATE TABLE IF NOT EXISTS lineside_bus_nodes (
    namespace text NOT NULL, node text NOT NULL, info text NOT NULL, expires_at timestamptz NOT NULL,
    PRIMARY KEY (namespace, node));
CREATE TABLE IF NOT EXISTS lineside_bus_values (
    namespace text NOT NULL, key text NOT NULL, value bytea NOT NULL, expires_at timestamptz NOT NULL,
    PRIMARY KEY (namespace, key));
CREATE INDEX IF NOT EXISTS lineside_bus_values_expiry ON lineside_bus_values (expires_at);
CREATE TABLE IF NOT EXISTS lineside_bus_departures (
    namespace text NOT NULL, caller text NOT NULL, question bigint NOT NULL, gone jsonb NOT NULL,
    expires_at timestamptz NOT NULL, PRIMARY KEY (namespace, caller));
"""

_MESSAGES: Final = """
CREATE OR REPLACE FUNCTION lineside_bus_append(
    p_namespace text, p_stream text, p_epoch text, p_keys text[], p_id text, p_published_at double precision,
    p_envelope bytea, p_messages bigint, p_age double precision, p_channel text, p_token text,
    OUT o_epoch text, OUT o_seq bigint, OUT o_id text, OUT o_duplicate boolean) LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz; v_payload text; v_evicted double precision; v_key record;
BEGIN
    INSERT INTO lineside_bus_streams AS s (namespace, stream, epoch) VALUES (p_namespace, p_stream, p_epoch)
        ON CONFLICT (namespace, stream) DO UPDATE SET used_at = clock_timestamp()
        RETURNING s.epoch, s.last_seq + 1 INTO o_epoch, o_seq;
    v_now := clock_timestamp();
    SELECT k.seq, k.id INTO v_key FROM lineside_bus_keys k WHERE k.namespace = p_namespace
        AND k.stream = p_stream AND k.key = ANY(p_keys) AND k.expires_at > v_now LIMIT 1;
    o_duplicate := FOUND;
    IF o_duplicate THEN
        o_seq := v_key.seq;
        o_id := v_key.id;
        RETURN;
    END IF;
    o_id := p_id;
    INSERT INTO lineside_bus_keys (namespace, stream, key, seq, id, expires_at)
        SELECT p_namespace, p_stream, u, o_seq, p_id, v_now + interval '5 minutes' FROM unnest(p_keys) u
        ON CONFLICT (namespace, stream, key) DO UPDATE
        SET seq = excluded.seq, id = excluded.id, expires_at = excluded.expires_at;
    INSERT INTO lineside_bus_messages VALUES (p_namespace, p_stream, o_seq, p_published_at,
        v_now + make_interval(secs => p_age), p_envelope);
    WITH gone AS (DELETE FROM lineside_bus_messages m WHERE m.namespace = p_namespace AND m.stream = p_stream
        AND (m.seq <= o_seq - p_messages OR m.expires_at <= v_now) RETURNING m.published_at)
        SELECT max(gone.published_at) INTO v_evicted FROM gone;
    UPDATE lineside_bus_streams s SET last_seq = o_seq, evicted_at = greatest(s.evicted_at, v_evicted)
        WHERE s.namespace = p_namespace AND s.stream = p_stream;
    v_payload := 'k ' || p_token || ' ' || o_epoch || ' ' || o_seq || ' ';
    IF octet_length(p_envelope) <= 5600 THEN
        v_payload := v_payload || encode(p_envelope, 'base64');
    END IF;
    PERFORM pg_notify(p_channel, v_payload);
END $$;

CREATE OR REPLACE FUNCTION lineside_bus_publish(p_channel text, p_token text, p_envelope bytea)
    RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_id bigint;
BEGIN
    IF octet_length(p_envelope) <= 5600 THEN
        PERFORM pg_notify(p_channel, 'm ' || p_token || ' ' || encode(p_envelope, 'base64'));
    ELSE
        INSERT INTO lineside_bus_payloads (envelope, expires_at)
            VALUES (p_envelope, clock_timestamp() + interval '1 minute') RETURNING id INTO v_id;
        PERFORM pg_notify(p_channel, 'p ' || p_token || ' ' || v_id);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION lineside_bus_sweep() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_stream record; v_now timestamptz := clock_timestamp(); v_evicted double precision;
BEGIN
    -- One node at a time is enough.
    IF NOT pg_try_advisory_xact_lock(7310575174003110001) THEN RETURN; END IF;
    DELETE FROM lineside_bus_keys WHERE expires_at <= v_now;
    DELETE FROM lineside_bus_payloads WHERE expires_at <= v_now;
    DELETE FROM lineside_bus_values WHERE expires_at <= v_now;
    DELETE FROM lineside_bus_departures WHERE expires_at <= v_now;
    DELETE FROM lineside_bus_nodes WHERE expires_at <= v_now - interval '1 day';
    FOR v_stream IN SELECT s.namespace, s.stream FROM lineside_bus_streams s WHERE EXISTS (
        SELECT FROM lineside_bus_messages m WHERE m.namespace = s.namespace AND m.stream = s.stream
        AND m.expires_at <= v_now) FOR UPDATE SKIP LOCKED LOOP
        WITH gone AS (DELETE FROM lineside_bus_messages m WHERE m.namespace = v_stream.namespace
            AND m.stream = v_stream.stream AND m.expires_at <= v_now RETURNING m.published_at)
            SELECT max(gone.published_at) INTO v_evicted FROM gone;
        UPDATE lineside_bus_streams s SET evicted_at = greatest(s.evicted_at, v_evicted)
            WHERE s.namespace = v_stream.namespace AND s.stream = v_stream.stream;
    END LOOP;
    DELETE FROM lineside_bus_streams s WHERE s.used_at <= v_now - interval '1 day' AND NOT EXISTS (
        SELECT FROM lineside_bus_messages m WHERE m.namespace = s.namespace AND m.stream = s.stream);
END $$;
"""

_GROUPS: Final = """
CREATE OR REPLACE FUNCTION lineside_bus_lock(p_namespace text, p_grp text) RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtextextended(p_namespace || '/' || p_grp, 7310575174003110002))
$$;

CREATE OR REPLACE FUNCTION lineside_bus_count(p_namespace text, p_grp text) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM lineside_bus_members WHERE namespace = p_namespace AND grp = p_grp
$$;

CREATE OR REPLACE FUNCTION lineside_bus_join(
    p_namespace text, p_grp text, p_member text, p_session text, p_node text, p_info text, p_limit bigint,
    p_exclusive boolean, OUT outcome text, OUT count bigint) LANGUAGE plpgsql AS $$
DECLARE
    v_there boolean;
BEGIN
    PERFORM lineside_bus_lock(p_namespace, p_grp);
    count := lineside_bus_count(p_namespace, p_grp);
    v_there := EXISTS (SELECT FROM lineside_bus_members
        WHERE namespace = p_namespace AND grp = p_grp AND member = p_member);
    IF p_exclusive AND EXISTS (SELECT FROM lineside_bus_sessions
        WHERE namespace = p_namespace AND grp = p_grp AND member = p_member) THEN
        outcome := 'already';
    ELSIF NOT v_there AND count >= p_limit THEN
        outcome := 'full';
    ELSE
        INSERT INTO lineside_bus_members AS m VALUES
            (p_namespace, p_grp, p_member, coalesce(p_info, '{}'), NULL)
            ON CONFLICT (namespace, grp, member) DO UPDATE SET until = NULL, info = coalesce(p_info, m.info);
        INSERT INTO lineside_bus_sessions VALUES (p_namespace, p_grp, p_member, p_session, p_node)
            ON CONFLICT (namespace, grp, member, session) DO UPDATE SET node = excluded.node;
        outcome := CASE WHEN v_there THEN 'again' ELSE 'first' END;
        count := count + CASE WHEN v_there THEN 0 ELSE 1 END;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION lineside_bus_leave(
    p_namespace text, p_grp text, p_member text, p_session text, p_grace double precision,
    OUT existed boolean, OUT last boolean, OUT count bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lineside_bus_lock(p_namespace, p_grp);
    DELETE FROM lineside_bus_sessions
        WHERE namespace = p_namespace AND grp = p_grp AND member = p_member AND session = p_session;
    existed := FOUND;
    last := existed AND NOT EXISTS (SELECT FROM lineside_bus_sessions
        WHERE namespace = p_namespace AND grp = p_grp AND member = p_member);
    IF last AND p_grace > 0 THEN
        UPDATE lineside_bus_members SET until = clock_timestamp() + make_interval(secs => p_grace)
            WHERE namespace = p_namespace AND grp = p_grp AND member = p_member;
        last := false;
    ELSIF last THEN
        DELETE FROM lineside_bus_members
            WHERE namespace = p_namespace AND grp = p_grp AND member = p_member;
    END IF;
    count := lineside_bus_count(p_namespace, p_grp);
END $$;

CREATE OR REPLACE FUNCTION lineside_bus_remove(p_namespace text, p_grp text)
    RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lineside_bus_lock(p_namespace, p_grp);
    DELETE FROM lineside_bus_sessions WHERE namespace = p_namespace AND grp = p_grp;
    DELETE FROM lineside_bus_members WHERE namespace = p_namespace AND grp = p_grp;
    RETURN FOUND;
END $$;

CREATE OR REPLACE FUNCTION lineside_bus_expire(p_namespace text, p_caller text, p_question bigint)
    RETURNS TABLE (gone_grp text, gone_member text, gone_info text) LANGUAGE plpgsql AS $$
DECLARE
    v_grp text; v_answered bigint; v_all jsonb; v_some jsonb;
BEGIN
    -- A question that comes again has had no answer; what was dropped for it is told to nobody else.
    INSERT INTO lineside_bus_departures AS d
        VALUES (p_namespace, p_caller, 0, '[]', clock_timestamp() + interval '1 hour')
        ON CONFLICT (namespace, caller) DO UPDATE SET expires_at = excluded.expires_at
        RETURNING d.question, d.gone INTO v_answered, v_all;
    IF v_answered < p_question THEN
        v_all := '[]';
        -- In one order: two nodes that do this at the same time wait for each other, and never both.
        FOR v_grp IN
            SELECT s.grp FROM lineside_bus_sessions s WHERE s.namespace = p_namespace AND s.node <> ''
                AND NOT EXISTS (SELECT FROM lineside_bus_nodes n WHERE n.namespace = s.namespace
                AND n.node = s.node AND n.expires_at > clock_timestamp())
            UNION SELECT m.grp FROM lineside_bus_members m
                WHERE m.namespace = p_namespace AND m.until <= clock_timestamp()
            ORDER BY 1
        LOOP
            PERFORM lineside_bus_lock(p_namespace, v_grp);
            DELETE FROM lineside_bus_sessions s WHERE s.namespace = p_namespace AND s.grp = v_grp
                AND s.node <> '' AND NOT EXISTS (SELECT FROM lineside_bus_nodes n
                WHERE n.namespace = s.namespace AND n.node = s.node AND n.expires_at > clock_timestamp());
            WITH over AS (DELETE FROM lineside_bus_members m WHERE m.namespace = p_namespace AND m.grp = v_grp
                AND (m.until IS NULL OR m.until <= clock_timestamp()) AND NOT EXISTS (
                SELECT FROM lineside_bus_sessions s WHERE s.namespace = m.namespace AND s.grp = m.grp
                AND s.member = m.member) RETURNING m.member, m.info)
                SELECT coalesce(jsonb_agg(jsonb_build_array(v_grp, o.member, o.info)), '[]') INTO v_some
                FROM over o;
            v_all := v_all || v_some;
        END LOOP;
        UPDATE lineside_bus_departures d SET question = p_question, gone = v_all
            WHERE d.namespace = p_namespace AND d.caller = p_caller;
    END IF;
    RETURN QUERY SELECT e->>0, e->>1, e->>2 FROM jsonb_array_elements(v_all) e;
END $$;
"""

SCHEMA: Final = f"""{_TABLES}{_MESSAGES}{_GROUPS}
COMMENT ON TABLE lineside_bus_streams IS '{MARK}';
"""
"""Everything that the bus needs; it is run at the first connect."""
