// Package causalpg keeps events, Lamport clocks, an error log, checkpoints and
// rejected events in a schema of a PostgreSQL database. It is tested with
// version 15, and needs nothing newer than 13.
//
// # Basics
//
// Call [Migrate] when the program is installed or updated, to create the
// tables. [Open] a [Store], or create one with [New] on an existing pool, and
// pass it wherever a storage of package causal is needed: it is a
// [causal.Store], with all capabilities. Any number of processes on any number
// of machines may use one schema concurrently.
//
// A write that has returned nil is as durable as a commit of the server: on its
// disk, unless synchronous_commit is off. Concurrent saves of one Store share a
// transaction, so many writers together are much faster than one. The server
// notifies readers following the log with [causal.Follow] or [causal.Consume].
//
// A failure of the server or of the connection is reported as a
// [*causal.StorageError]. Deadlocks, serialization failures and lost
// connections are retried first, for about 3 seconds, unless a repetition could
// have another effect, as after an AppendError or SaveCheckpoint that may have
// been committed. [Open] does not retry. Saving events is idempotent, so a
// commit whose outcome is unknown is resolved by saving again. Canceling the
// context withdraws a save that is still waiting for its turn. After a later
// cancellation the event may or may not be stored, and the error matches
// [causal.ErrOutcomeUnknown]; a repeated save leaves one copy.
//
// # Caveats
//
// Servers that identify themselves as something other than PostgreSQL, such as
// CockroachDB and YugabyteDB, are refused, because the order of the log depends
// on the locks of PostgreSQL.
//
// The log has no gaps, so transactions that save events commit one after
// another: each waits until the previous one is on disk. The architecture
// decision record on arrival order measures the cost of this.
//
// The log is ordinary data, so its cursors are valid in a dump restored
// elsewhere. If the log goes back to a dump, or two copies grow, cursors stay
// valid for the entries common to both, and are refused for others.
//
// Rows of the table events must not be written by other means. The role of a
// Store needs USAGE on the schema, SELECT and INSERT on the tables events and
// digests, SELECT and UPDATE on meta, which a save locks, and SELECT, INSERT,
// UPDATE and DELETE on checkpoints, clocks, errors, heads and rejected. It
// needs TEMPORARY on the database, because a batch of more than 256 KB is sent
// into a temporary table before the transaction locks meta. It must not call
// Migrate: the owner of the schema does, before the new version starts.
//
// If a connection pooler such as PgBouncer gives each transaction a different
// connection, set default_query_exec_mode to exec or cache_describe in the
// connection string. The other modes of package pgx keep statements with a
// connection or need several round trips.
//
// An event or an error entry may have at most 500,000,000 bytes of JSON, so
// that it can be dumped. Versions of this package refuse the schemas of later
// ones.
package causalpg
