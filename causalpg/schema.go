package causalpg

import (
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/spec-kitty/causal/causaladapter"
)

const (
	defaultSchema   = "causal"
	maxSchemaLength = 63 // bytes; the server cuts what is longer
)

// firstVersion is the first version of a schema that this package reads.
const firstVersion = 2

// migrations[n] takes a schema from version n to n+1; meta holds the version.
// Those that were released never change. {s} stands for the quoted schema.
//
// hash is that of the entry's cursor, which chain makes of the one before it; start
// stands for that of the first one. chained is chain for several rows.
//
// IDs are bytea as they may contain NUL, and are compared byte by byte whatever
// the locale. Beside the columns that queries need there is the event's JSON as
// its bytes, which keeps every member and every digit in a database of any
// encoding. It is not compressed: that costs more time than it saves.
//
// An index takes keys of up to 2,700 bytes and an ID may be longer, so the
// indexes hold its first bytes only.
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
	data          bytea NOT NULL
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

// check returns what is wrong with the options.
func (o *Options) check() error {
	switch {
	case !utf8.ValidString(o.Schema):
		return causaladapter.Invalid("schema", "must be valid UTF-8")
	case strings.ContainsRune(o.Schema, 0):
		return causaladapter.Invalid("schema", "must not contain NUL")
	case len(o.Schema) > maxSchemaLength:
		return causaladapter.Invalid("schema", "must have at most 63 bytes")
	case strings.HasPrefix(o.Schema, "pg_") || o.Schema == "information_schema":
		return causaladapter.Invalid("schema", "must not be one of the server's own")
	case o.ErrorLimit < 0:
		return causaladapter.Invalid("error_limit", "must not be negative")
	}
	return nil
}

// inSchema puts the schema and its channel into a statement.
func inSchema(schema, sql string) string {
	return strings.NewReplacer("{s}", pgx.Identifier{schema}.Sanitize(), "{channel}", channel(schema)).Replace(sql)
}
