// Package causalpg keeps events, Lamport clocks and an error log in a schema of a
// PostgreSQL database. It is tested with version 15, and needs nothing newer than 13.
//
// # Basics
//
// Call [Migrate] when the program is installed or updated; it creates the tables.
// [Open] a [Store], or make one with [New] on a pool that the program has, and
// give it to whatever takes a [causal.EventStore], [causal.ClockStorage] or
// [causal.ErrorStorage]; it has all capabilities of these: batches, the log in
// arrival order, and clocks that several processes share. Any number of processes
// on any number of machines may use one schema at a time.
//
// A write that returned nil is as durable as the server makes a commit: on its
// disk, unless synchronous_commit is off. Saves of one Store that come at the same
// time share one transaction, so many writers are much faster together than one.
// A reader that follows the log waits with [Store.Wait] until there is more.
//
// A failure of the server or of the way to it is a [*causal.StorageError].
// Deadlocks, serialization failures and lost connections are tried again for a few
// seconds first; saving is idempotent, so a commit whose outcome is unknown is
// resolved by saving again. A context that ends while a save waits for its turn
// takes it back; one that ends later leaves the event stored or not, and a
// repeated save leaves one copy.
//
// # Caveats
//
// The log has no gaps, so transactions that save events commit one after another:
// a transaction waits until the one before it is on the disk. See the architecture
// decision record on arrival order for what that costs.
//
// Positions in the log are ordinary data: a dump that is restored elsewhere keeps
// its cursors. Two copies of one log that both grow have cursors that look alike
// and mean different entries; keep one.
//
// Rows of the table events must not be written by other means. The role of a Store
// needs SELECT and INSERT on it, SELECT and UPDATE on meta, which a save locks, and
// SELECT, INSERT, UPDATE and DELETE on clocks and errors.
//
// Behind a connection pooler that gives each transaction another connection, such as
// PgBouncer, set default_query_exec_mode to exec or cache_describe in the connection
// string: the other modes of package pgx keep statements with a connection or need
// several round trips.
//
// An event or an error entry has at most 500,000,000 bytes of JSON, so that it can
// be dumped. Versions of this package refuse the schemas of later ones.
package causalpg
