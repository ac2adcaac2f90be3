// Package causalpg keeps events, Lamport clocks, an error log, checkpoints and what was
// rejected in a schema of a PostgreSQL database. It is tested with version 15, and needs nothing newer than 13.
//
// # Basics
//
// Call [Migrate] when the program is installed or updated; it creates the tables.
// [Open] a [Store], or make one with [New] on a pool that the program has, and pass it
// wherever a storage of package causal is needed: it is a [causal.Store], with all
// capabilities. Any number of processes on any number of machines may use one schema at a time.
//
// A write that has returned nil is as durable as the server makes a commit: on its
// disk, unless synchronous_commit is off. Concurrent saves of one Store share a
// transaction, so many writers together are much faster than one. A reader that
// follows the log with [causal.Follow] or [causal.Consume] hears of saves from the server.
//
// A failure of the server or of the connection to it is reported as a
// [*causal.StorageError]. Deadlocks, serialization failures and lost connections are
// retried for a few seconds first. Saving is idempotent, so a commit whose outcome is
// unknown is resolved by saving again. Canceling the context withdraws a save that is
// still waiting for its turn. Canceling it later leaves the event stored or not, and the
// error matches [causal.ErrOutcomeUnknown]; a repeated save leaves one copy.
//
// # Caveats
//
// Servers that are not PostgreSQL and say so, such as CockroachDB and YugabyteDB, are
// refused: their locks are not those that the order of the log depends on.
//
// The log has no gaps, so transactions that save events commit one after another: each
// waits until the previous one is on disk. The architecture decision record on arrival
// order says what that costs.
//
// The log is ordinary data: a dump that is restored elsewhere keeps its cursors. If the
// log goes back to a dump, or two copies grow, cursors stay valid for the entries that
// both have, and are refused for others.
//
// Rows of the table events must not be written by other means. The role of a Store
// needs SELECT and INSERT on it, SELECT and UPDATE on meta, which a save locks, and
// SELECT, INSERT, UPDATE and DELETE on checkpoints, clocks, errors, heads and rejected. It
// needs TEMPORARY on the database, since a batch of more than 256 KB is sent into a temporary table before the
// transaction locks meta.
//
// If a connection pooler such as PgBouncer gives each transaction another connection,
// set default_query_exec_mode to exec or cache_describe in the connection string. The
// other modes of package pgx keep statements with a connection or need several round
// trips.
//
// An event or an error entry has at most 500,000,000 bytes of JSON, so that it can be
// dumped. Versions of this package refuse the schemas of later ones.
package causalpg
