package causalpg

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/spec-kitty/causal/internal/adapter"
)

// statements has the statements for one schema.
type statements struct {
	lock             []string
	insert           string
	insertGiven      string
	insertOne        string
	appendOne        string
	appendTo         string
	appendGiven      string
	changes          string
	heads            string
	missingParents   string
	byID             string
	load             string
	aggregates       string
	locate           string
	check            string
	loadClock        string
	saveClock        string
	advance          string
	addError         string
	checkpoints      string
	loadCheckpoint   string
	addCheckpoint    string
	saveCheckpoint   string
	deleteCheckpoint string
	lockRejected     string
	addRejected      string
	rejected         string
	deleteRejected   string
	dropErrors       string
	errors           string
	listen           string
	notify           string
	digests          string
	digestsOf        string
	digestLog        string
	digestLogOf      string
	digestsBeyond    string
	loadDigests      string
	lastDigest       string
	addDigests       string
	arrival          [adapter.CountOfSizes]string
	order            [adapter.CountOfSizes]string
}

// Before inserting, a saving transaction takes the lock on meta and holds it
// until its commit is visible to all, so that it sees everything saved before
// it, and positions follow the order of commits. The settings are for its
// single plan. It is made once, because planning takes half as long as saving
// an event, and must not scan the whole table, which may have been small then.
// Without statistics, or without an index, a table looks expensive, and
// compiling would take half a second.
var lockSave = []string{
	"SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)",
	"LOCK TABLE {s}.meta IN EXCLUSIVE MODE",
}

// insertSQL numbers the rows to insert in order, after the stored ones. A
// subquery for each row is an index lookup; a join would be planned for the
// size that the table once had.
const insertSQL = `WITH given AS MATERIALIZED (
	SELECT n, event_id, lamport_clock, aggregate_id, node_id, data, project, parents,
		(SELECT e.data = g.data FROM {s}.events e WHERE e.event_id = g.event_id) AS same
	FROM {given}
), added AS (
	INSERT INTO {s}.events (position, hash, event_id, lamport_clock, aggregate_id, node_id, data, project, parents)
	SELECT last.position + row_number() OVER (ORDER BY n), {s}.chained(event_id, last.hash) OVER (ORDER BY n),
		event_id, lamport_clock, aggregate_id, node_id, data, project, string_to_array(parents, ',')
	FROM given, (` + lastSQL + `) AS last WHERE same IS NULL AND NOT EXISTS (SELECT FROM given WHERE NOT same)
)
SELECT event_id FROM given WHERE NOT same`

// allowsSQL reports whether a save after a position ($1), if given, is allowed:
// the log ($2) and the hash there ($3) must be those of this log, and no later
// entry may belong to the node ($4) or to one of the aggregates ($5), in any
// project. If no aggregates are given, there must be no later entry at all.
const allowsSQL = `$1::bigint IS NULL OR coalesce(
		($2::bytea IS NULL OR $2 = (SELECT log_id FROM {s}.meta))
		AND ($2 IS NULL OR $3::bytea = CASE WHEN $1 = 0 THEN '\x0000000000000000'
			ELSE (SELECT hash FROM {s}.events WHERE position = $1) END),
	false) AND NOT CASE
		WHEN $5::bytea[] IS NULL THEN last.position > $1
		WHEN last.position - $1 <= 1000 OR $4::bytea IS NOT NULL THEN EXISTS (
			SELECT FROM {s}.events e WHERE e.position > $1
				AND (e.node_id = $4 OR e.aggregate_id IN (SELECT unnest($5::bytea[])))) -- hashed
		ELSE EXISTS (SELECT FROM unnest($5::bytea[]) AS a (id) WHERE EXISTS (
			SELECT FROM {s}.events e WHERE substring(e.aggregate_id FROM 1 FOR 250) = substring(a.id FROM 1 FOR 250)
				AND e.aggregate_id = a.id AND e.position > $1))
	END`

// appendOneSQL inserts a row if it is new and allowed, and returns the
// positions of the row and of its predecessor.
const appendOneSQL = `INSERT INTO {s}.events AS n (position, hash, event_id, lamport_clock, aggregate_id, node_id, data, project, parents)
	SELECT last.position + 1, {s}.chain(last.hash, $6, NULL), $6, $7, $8, $9, $10, $11, string_to_array($12, ',')
	FROM (` + lastSQL + `) AS last WHERE ` + allowsSQL + `
	ON CONFLICT (event_id) DO NOTHING
	RETURNING (SELECT log_id FROM {s}.meta), position - 1,
		coalesce((SELECT hash FROM {s}.events e WHERE e.position = n.position - 1), '\x0000000000000000'), position, hash`

// appendSQL inserts rows like insertSQL, but nothing if it is not allowed or,
// if a position is given, if a row is already stored.
const appendSQL = `WITH last AS MATERIALIZED (` + lastSQL + `), given AS MATERIALIZED (
	SELECT n, event_id, lamport_clock, aggregate_id, node_id, data, project, parents,
		(SELECT e.data = g.data FROM {s}.events e WHERE e.event_id = g.event_id) AS same
	FROM {given}
), guard AS MATERIALIZED (
	SELECT ` + allowsSQL + ` AS allows FROM last
), added AS (
	INSERT INTO {s}.events (position, hash, event_id, lamport_clock, aggregate_id, node_id, data, project, parents)
	SELECT last.position + row_number() OVER (ORDER BY n), {s}.chained(event_id, last.hash) OVER (ORDER BY n),
		event_id, lamport_clock, aggregate_id, node_id, data, project, string_to_array(parents, ',')
	FROM given, last, guard
	WHERE allows AND same IS NULL AND NOT EXISTS (SELECT FROM given WHERE same IS NOT NULL AND (NOT same OR $1 IS NOT NULL))
	RETURNING position, hash
)
SELECT allows, ARRAY (SELECT event_id FROM given WHERE same IS NOT NULL), ARRAY (SELECT event_id FROM given WHERE NOT same),
	(SELECT log_id FROM {s}.meta), last.position, last.hash,
	coalesce((SELECT max(position) FROM added), last.position),
	coalesce((SELECT hash FROM added ORDER BY position DESC LIMIT 1), last.hash)
FROM last, guard`

// addRejectedSQL stores a rejected event if there is room. See
// [causal.RejectedStorage].
const addRejectedSQL = `WITH room AS (
	SELECT count(*) AS count, coalesce(sum(size), 0) AS size, (SELECT size FROM {s}.rejected WHERE key = $1) AS old FROM {s}.rejected
)
INSERT INTO {s}.rejected (key, size, source, event_id, reason, time, count, data)
SELECT $1, $2::integer, $3, $4, $5, $6, 1, $7 FROM room
WHERE (old IS NOT NULL OR room.count < $8) AND room.size - coalesce(old, 0) + $2 <= $9
ON CONFLICT (key) DO UPDATE SET size = excluded.size, event_id = excluded.event_id, reason = excluded.reason,
	time = excluded.time, count = rejected.count + 1`

// rejectedSQL reads a page of rejected events, which ends like a page of the
// log.
const rejectedSQL = `SELECT id, key, source, event_id, reason, time, count, data FROM (
	SELECT *, sum(size) OVER (ORDER BY id) - size AS before
	FROM (SELECT * FROM {s}.rejected WHERE id > $1 ORDER BY id LIMIT $2) AS page
) AS counted WHERE before < {bytes} ORDER BY id`

// changesSQL reads the entries examined by appendSQL, up to a position.
const changesSQL = `SELECT position, data FROM {s}.events
	WHERE position > $1 AND position <= $2 AND (node_id = $3 OR $4::bytea[] IS NULL OR aggregate_id IN (SELECT unnest($4)))
	ORDER BY position`

// givenArrays reads rows passed as parameters, numbered from first.
func givenArrays(first int) string {
	return fmt.Sprintf(`unnest($%d::text[], $%d::bigint[], $%d::bytea[], $%d::bytea[], $%d::bytea[], $%d::uuid[], $%d::text[])
		WITH ORDINALITY AS g (event_id, lamport_clock, aggregate_id, node_id, data, project, parents, n)`,
		first, first+1, first+2, first+3, first+4, first+5, first+6)
}

// givenTable has the rows, until the commit.
const (
	givenTable  = "pg_temp.causal_given AS g"
	createGiven = `CREATE TEMPORARY TABLE causal_given (n bigint, event_id text, lamport_clock bigint,
		aggregate_id bytea, node_id bytea, data bytea, project uuid, parents text) ON COMMIT DROP`
)

// insertOneSQL does the same for one row. It skips the row if it is already
// stored.
const insertOneSQL = `INSERT INTO {s}.events (position, hash, event_id, lamport_clock, aggregate_id, node_id, data, project, parents)
	SELECT last.position + 1, {s}.chain(last.hash, $1, NULL), $1, $2, $3, $4, $5, $6, string_to_array($7, ',') FROM (` + lastSQL + `) AS last
	ON CONFLICT (event_id) DO NOTHING`

// lastSQL reads the last entry of the log, with position 0 if there is none.
const lastSQL = `SELECT coalesce(max(position), 0) AS position,
	coalesce((SELECT hash FROM {s}.events ORDER BY position DESC LIMIT 1), '\x0000000000000000') AS hash FROM {s}.events`

// locateSQL also reads the ID of the log, because another log may replace it at
// any time.
const locateSQL = `SELECT log_id, last.position, last.hash, (SELECT hash FROM {s}.events WHERE position = $1)
	FROM {s}.meta, (` + lastSQL + `) AS last`

// A page ends with the row that makes it a megabyte. The server counts, because
// it would send the rest too. The limit is part of the text: a plan kept for
// all values of a parameter would assume that it may be any part of the table.
const arrivalSQL = `SELECT position, data, hash FROM (
	SELECT position, data, hash, sum(octet_length(data)) OVER (ORDER BY position) - octet_length(data) AS before
	FROM (
		SELECT position, data, hash FROM {s}.events WHERE position > $1 AND position <= $2
		ORDER BY position LIMIT {limit}
	) AS page
) AS counted WHERE before < {bytes} ORDER BY position`

// orderSQL sorts by an index on the clock and the first bytes of the node, and
// rows with equal values by the rest.
const orderSQL = `SELECT position, data FROM (
	SELECT position, data, lamport_clock, start, node_id, event_id,
		sum(octet_length(data)) OVER (ORDER BY lamport_clock, start, node_id, event_id) - octet_length(data) AS before
	FROM (
		SELECT position, data, lamport_clock, substring(node_id FROM 1 FOR 250) AS start, node_id, event_id
		FROM {s}.events
		WHERE (lamport_clock, substring(node_id FROM 1 FOR 250), node_id, event_id)
			> ($1::bigint, substring($2::bytea FROM 1 FOR 250), $2::bytea, $3::text) AND position <= $4
		ORDER BY lamport_clock, start, node_id, event_id LIMIT {limit}
	) AS page
) AS counted WHERE before < {bytes} ORDER BY lamport_clock, start, node_id, event_id`

// aggregatesSQL takes a step of the index for each prefix of an ID, not for
// each event, and examines the events with longer IDs.
const aggregatesSQL = `WITH RECURSIVE starts (start) AS (
	(SELECT substring(aggregate_id FROM 1 FOR 250) FROM {s}.events
		WHERE substring(aggregate_id FROM 1 FOR 250) >= substring($1::bytea FROM 1 FOR 250) ORDER BY 1 LIMIT 1)
	UNION ALL
	SELECT (SELECT substring(e.aggregate_id FROM 1 FOR 250) FROM {s}.events e
		WHERE substring(e.aggregate_id FROM 1 FOR 250) > s.start ORDER BY 1 LIMIT 1)
	FROM starts s WHERE s.start IS NOT NULL
)
SELECT id FROM (SELECT start FROM starts LIMIT $2::bigint + 1) AS s, LATERAL (
	SELECT s.start AS id WHERE octet_length(s.start) < 250
	UNION ALL
	SELECT DISTINCT aggregate_id FROM {s}.events
	WHERE octet_length(s.start) = 250 AND substring(aggregate_id FROM 1 FOR 250) = s.start
) AS ids WHERE id > $1 ORDER BY id LIMIT $2`

func newStatements(schema string) statements {
	in := func(sql string) string { return inSchema(schema, sql) }
	s := statements{
		insert:      in(strings.Replace(insertSQL, "{given}", givenArrays(1), 1)),
		insertGiven: in(strings.Replace(insertSQL, "{given}", givenTable, 1)),
		insertOne:   in(insertOneSQL),
		appendOne:   in(appendOneSQL),
		appendTo:    in(strings.Replace(appendSQL, "{given}", givenArrays(6), 1)),
		appendGiven: in(strings.Replace(appendSQL, "{given}", givenTable, 1)),
		changes:     in(changesSQL),
		heads: in(`SELECT event_id FROM {s}.heads
			WHERE aggregate = $1 AND project = $2 AND named = 0 ORDER BY event_id`),
		missingParents: in(`SELECT DISTINCT event_id FROM {s}.heads h
			WHERE project = $3 AND named > 0 AND event_id > convert_from($1, 'UTF8')
				AND NOT EXISTS (SELECT FROM {s}.events e WHERE e.event_id = h.event_id)
			ORDER BY event_id LIMIT $2`),
		byID: in("SELECT position, data FROM {s}.events WHERE event_id = ANY ($1::text[])"),
		load: in(`SELECT position, data FROM {s}.events
			WHERE substring(aggregate_id FROM 1 FOR 250) = substring($1::bytea FROM 1 FOR 250) AND aggregate_id = $1
			ORDER BY lamport_clock`),
		aggregates: in(aggregatesSQL),
		locate:     in(locateSQL),
		check: in(`SELECT e.position, data, hash, event_id, aggregate_id, e.lamport_clock, node_id,
				e.position <= (SELECT coalesce(max(position), 0) FROM {s}.digests),
				coalesce(d.lamport_clock, 0), digest, coalesce(d.project::text, ''), coalesce(tier, 0)
			FROM {s}.events e LEFT JOIN {s}.digests d USING (position)
			WHERE e.position > $1 AND e.position <= $2 ORDER BY e.position`),
		loadClock: in("SELECT value FROM {s}.clocks WHERE node_key = $1"),
		saveClock: in(`INSERT INTO {s}.clocks (node_key, node_id, value) VALUES ($1, $2, $3)
			ON CONFLICT (node_key) DO UPDATE SET value = excluded.value`),
		advance: in(`INSERT INTO {s}.clocks AS c (node_key, node_id, value) VALUES ($1, $2, $3::bigint + $4::bigint)
			ON CONFLICT (node_key) DO UPDATE SET value = greatest(c.value, $3) + $4
			WHERE greatest(c.value, $3) <= 9223372036854775807 - $4 RETURNING value`),
		checkpoints:    in("SELECT name FROM {s}.checkpoints WHERE name > $1 ORDER BY name LIMIT $2"),
		loadCheckpoint: in("SELECT revision, cursor, state FROM {s}.checkpoints WHERE name_key = $1"),
		addCheckpoint: in(`INSERT INTO {s}.checkpoints (name_key, name, cursor, state) VALUES ($1, $2, $3, $4)
			ON CONFLICT (name_key) DO NOTHING RETURNING revision`),
		saveCheckpoint: in(`UPDATE {s}.checkpoints SET revision = DEFAULT, name = $2, cursor = $3, state = $4
			WHERE name_key = $1 AND revision = $5 RETURNING revision`),
		deleteCheckpoint: in("DELETE FROM {s}.checkpoints WHERE name_key = $1"),
		lockRejected:     fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", lockOf(schema+".rejected")),
		addRejected:      in(addRejectedSQL),
		rejected:         in(strings.Replace(rejectedSQL, "{bytes}", strconv.Itoa(adapter.MaxPageBytes), 1)),
		deleteRejected:   in("DELETE FROM {s}.rejected WHERE key = $1"),
		addError:         in("INSERT INTO {s}.errors (entry) VALUES ($1)"),
		dropErrors: in(`DELETE FROM {s}.errors
			WHERE id <= (SELECT id FROM {s}.errors ORDER BY id DESC OFFSET $1 LIMIT 1)`),
		errors:  in("SELECT id, entry FROM {s}.errors ORDER BY id DESC LIMIT $1"),
		listen:  in("LISTEN {channel}"),
		notify:  in("NOTIFY {channel}"),
		digests: in(digestsSQL), digestsOf: in(digestsOfSQL), digestLog: in(digestLogSQL), digestLogOf: in(digestLogOfSQL), addDigests: in(addDigestsSQL),
		loadDigests:   in(strings.Replace(loadDigestsSQL, "{bytes}", strconv.Itoa(adapter.MaxPageBytes), 1)),
		digestsBeyond: in("SELECT count(*) FROM {s}.digests WHERE position > coalesce((SELECT max(position) FROM {s}.events), 0)"),
		lastDigest:    in("SELECT position FROM {s}.digests ORDER BY position DESC LIMIT 1"),
	}
	for _, sql := range lockSave {
		s.lock = append(s.lock, in(sql))
	}
	for i := range adapter.CountOfSizes {
		limited := strings.NewReplacer("{limit}", strconv.Itoa(adapter.FirstPage<<i), "{bytes}", strconv.Itoa(adapter.MaxPageBytes)).Replace
		s.arrival[i], s.order[i] = in(limited(arrivalSQL)), in(limited(orderSQL))
	}
	return s
}

// byArrival returns the statement for a page of the given size.
func (s *statements) byArrival(limit int) string {
	return s.arrival[bits.Len(uint(limit/adapter.FirstPage))-1]
}

// inOrder returns the statement for a page of the given size.
func (s *statements) inOrder(limit int) string {
	return s.order[bits.Len(uint(limit/adapter.FirstPage))-1]
}
