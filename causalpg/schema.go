package causalpg

import (
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/spec-kitty/causal/causaladapter"
)

const (
	defaultSchema   = "causal"
	maxSchemaLength = 63 // bytes; the server truncates longer names
)

// firstVersion is the first version of a schema that this package reads.
const firstVersion = 2

// migrations[n] migrates a schema from version n to n+1; meta holds the
// version. Released ones never change. {s} stands for the quoted schema.
//
// hash is the hash in the entry's cursor, computed by chain from the previous
// one; start stands for the first one. chained is chain for several rows.
//
// IDs are bytea because they may contain NUL, and are compared bytewise
// whatever the locale. Beside the columns needed by queries, a row has the
// event's JSON as bytes, which keeps every member and every digit in a database
// of any encoding. It is not compressed, because that costs more time than it
// saves.
//
// An index accepts keys of up to 2,700 bytes and an ID may be longer, so the
// indexes contain only its first bytes.
var migrations = []string{"", `
CREATE TABLE {s}.meta (
	one     boolean PRIMARY KEY DEFAULT true CHECK (one),
	version integer NOT NULL,
	log_id  bytea NOT NULL CHECK (octet_length(log_id) = 16)
);

CREATE TABLE {s}.events (
	position      bigint PRIMARY KEY CHECK (position > 0),
	hash          bytea NOT NULL CHECK (octet_length(hash) = 8),
	lamport_clock bigint NOT NULL CHECK (lamport_clock >= 0),
	event_id      text COLLATE "C" NOT NULL UNIQUE,
	aggregate_id  bytea NOT NULL,
	node_id       bytea NOT NULL,
	data          bytea NOT NULL,
	project       uuid NOT NULL,
	parents       text[] COLLATE "C" -- NULL if the event is plain
);
ALTER TABLE {s}.events ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE INDEX events_of_aggregate ON {s}.events (substring(aggregate_id FROM 1 FOR 250), lamport_clock);
CREATE INDEX events_in_order ON {s}.events (lamport_clock, substring(node_id FROM 1 FOR 250));
CREATE FUNCTION {s}.events_never_change() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN RAISE EXCEPTION ''events are never changed nor deleted''; END';
CREATE TRIGGER events_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {s}.events
	EXECUTE FUNCTION {s}.events_never_change();
CREATE FUNCTION {s}.chain(hash bytea, event_id text, start bytea) RETURNS bytea LANGUAGE sql AS
	'SELECT substring(sha256(coalesce(hash, start) || convert_to(event_id, ''UTF8'')) FROM 1 FOR 8)';
CREATE AGGREGATE {s}.chained(event_id text, start bytea) (SFUNC = {s}.chain, STYPE = bytea);

-- The heads of an aggregate in a project while all its events are stamped: those that none
-- names as a parent whose clock is greater. named is 0 for them, and otherwise they are not
-- stored, and it is the greatest clock of those that name them. If there is a plain event, there
-- is a row with the ID '' in place of the heads, and what is named may be stored meanwhile. Saves
-- take turns, so these statements do, too.
CREATE TABLE {s}.heads (
	aggregate bytea NOT NULL, -- SHA-256 of aggregate_id
	project   uuid NOT NULL,
	event_id  text COLLATE "C" NOT NULL,
	clock     bigint NOT NULL,
	named     bigint NOT NULL,
	PRIMARY KEY (aggregate, project, event_id)
);
CREATE INDEX heads_named ON {s}.heads (project, event_id) WHERE named > 0;
CREATE FUNCTION {s}.keep_heads() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	PERFORM set_config('search_path', quote_ident(TG_TABLE_SCHEMA) || ', pg_temp', true); -- the schema may be renamed
	INSERT INTO heads SELECT DISTINCT sha256(aggregate_id), project, '', 0, 0 FROM added WHERE parents IS NULL
		ON CONFLICT DO NOTHING;
	IF FOUND THEN
		DELETE FROM heads h USING added a
			WHERE a.parents IS NULL AND h.aggregate = sha256(a.aggregate_id) AND h.project = a.project AND h.event_id <> ''
				AND h.named = 0;
	END IF;
	IF NOT EXISTS (SELECT FROM added WHERE parents IS NOT NULL) THEN
		RETURN NULL;
	END IF;
	INSERT INTO heads AS h SELECT sha256(a.aggregate_id), a.project, a.event_id, a.lamport_clock, 0 FROM added a
		WHERE a.parents IS NOT NULL AND NOT EXISTS (
			SELECT FROM heads p WHERE p.aggregate = sha256(a.aggregate_id) AND p.project = a.project AND p.event_id = '')
		ON CONFLICT (aggregate, project, event_id) DO UPDATE SET clock = excluded.clock,
			named = CASE WHEN h.named > excluded.clock THEN h.named ELSE 0 END;
	DELETE FROM heads h USING added a WHERE a.parents IS NOT NULL
		AND h.aggregate = sha256(a.aggregate_id) AND h.project = a.project AND h.event_id = a.event_id AND h.named > 0;
	DELETE FROM heads h USING added a, unnest(a.parents) AS p (id)
		WHERE h.aggregate = sha256(a.aggregate_id) AND h.project = a.project AND h.event_id = p.id
			AND h.named = 0 AND h.clock < a.lamport_clock;
	INSERT INTO heads AS h SELECT sha256(a.aggregate_id), a.project, p.id, 0, max(a.lamport_clock) FROM added a, unnest(a.parents) AS p (id)
		WHERE NOT EXISTS (SELECT FROM events e WHERE e.event_id = p.id)
		GROUP BY 1, 2, 3
		ON CONFLICT (aggregate, project, event_id) DO UPDATE SET named = greatest(h.named, excluded.named);
	RETURN NULL;
END $$;
CREATE TRIGGER keep_heads AFTER INSERT ON {s}.events REFERENCING NEW TABLE AS added
	FOR EACH STATEMENT EXECUTE FUNCTION {s}.keep_heads();

-- The keys of causal.DigestReader, of the entries up to the last one that is here: they are made when somebody
-- asks for them.
CREATE TABLE {s}.digests (
	position      bigint PRIMARY KEY,
	lamport_clock bigint NOT NULL,
	digest        bytea NOT NULL CHECK (octet_length(digest) = 32),
	project       uuid NOT NULL,
	tier          smallint NOT NULL
);
CREATE INDEX digests_in_order ON {s}.digests (lamport_clock, digest) INCLUDE (position, project, tier);

CREATE TABLE {s}.clocks (
	node_key bytea PRIMARY KEY, -- SHA-256 of node_id
	node_id  bytea NOT NULL,
	value    bigint NOT NULL CHECK (value >= 0)
);

CREATE TABLE {s}.checkpoints (
	name_key bytea PRIMARY KEY, -- SHA-256 of name
	name     bytea NOT NULL,
	revision bigint GENERATED ALWAYS AS IDENTITY,
	cursor   bytea NOT NULL,
	state    bytea NOT NULL
);

CREATE TABLE {s}.rejected (
	id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	key      bytea NOT NULL UNIQUE CHECK (octet_length(key) = 32),
	size     integer NOT NULL,
	source   bytea NOT NULL,
	event_id text COLLATE "C" NOT NULL,
	reason   bytea NOT NULL,
	time     text COLLATE "C" NOT NULL,
	count    bigint NOT NULL,
	data     bytea NOT NULL
);
ALTER TABLE {s}.rejected ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE {s}.errors (
	id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	entry bytea NOT NULL
);
`}

// schemaName returns the schema of the options.
func (o *Options) schemaName() string {
	if o.Schema == "" {
		return defaultSchema
	}
	return o.Schema
}

// check returns the error for invalid options.
func (o *Options) check() error {
	switch {
	case !utf8.ValidString(o.Schema):
		return causaladapter.Invalid("schema", "must be valid UTF-8")
	case strings.ContainsRune(o.Schema, 0):
		return causaladapter.Invalid("schema", "must not contain NUL")
	case len(o.Schema) > maxSchemaLength:
		return causaladapter.Invalid("schema", "must have at most 63 bytes")
	case strings.HasPrefix(o.Schema, "pg_") || o.Schema == "information_schema" || o.Schema == "$user":
		return causaladapter.Invalid("schema", "must not be one of the server's own") // $user is the role's schema, whatever its quotes
	case o.ErrorLimit < 0:
		return causaladapter.Invalid("error_limit", "must not be negative")
	}
	return nil
}

// inSchema inserts the schema and its channel into a statement.
func inSchema(schema, sql string) string {
	return strings.NewReplacer("{s}", pgx.Identifier{schema}.Sanitize(), "{channel}", channel(schema)).Replace(sql)
}
