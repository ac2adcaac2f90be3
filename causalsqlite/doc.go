// Package causalsqlite keeps events, Lamport clocks, an error log, checkpoints
// and rejected events in one SQLite file. It needs no C compiler and no server.
//
// # Basics
//
// [Open] a [Store] and pass it wherever a storage of package causal is needed:
// it is a [causal.Store], with all capabilities. Any number of goroutines and
// processes may use one file concurrently.
//
// A write that has returned nil is on disk. With [SyncNormal] it has only
// reached the operating system: it survives a crash of the process, but not
// necessarily a loss of power. Concurrent writes share one flush, so many
// writers together are much faster than one. Reads do not wait for writes.
//
// A failure of SQLite or of the disk is reported as a [*causal.StorageError].
// Stored events remain readable, and the store works again once the cause is
// gone. A write waits while another process is writing; use a context with a
// deadline to limit the wait. Canceling the context withdraws a write that is
// still waiting, and has no effect on one that has started. The error of a save
// that fails in its commit matches [causal.ErrOutcomeUnknown].
//
// # Caveats
//
// The file must be on a local disk: SQLite's locks and shared memory do not
// work on network file systems. While the store is open, two files whose names
// end in -wal and -shm belong to it. If one of the three is removed or
// replaced, calls fail until it is back. Make copies with [Store.Backup], or
// while no process has the file open. On POSIX systems a program must not open
// the file by other means while a Store of the same process has it open,
// because closing it there drops SQLite's locks.
//
// When a file made by [Store.Backup] is opened, its log gets a new ID, so
// cursors of the original are refused. A plain copy cannot be told from the
// original: cursors stay valid for the entries common to both, and are refused
// for others. Before you restore either, remove the files whose names end in
// -wal and -shm; [Open] refuses a -wal file of another state of the file.
// Damaged files are not repaired; [Store.Check] finds damage that reads miss.
//
// Versions of this package read the files of all earlier ones, and refuse those
// of later ones.
package causalsqlite
