// Package causalsqlite keeps events, Lamport clocks and an error log in one
// SQLite file. It needs no C compiler and no server.
//
// # Basics
//
// [Open] a [Store] and give it to whatever takes a [causal.EventStore],
// [causal.ClockStorage] or [causal.ErrorStorage]; it has all capabilities of
// these: batches, the log in arrival order, and clocks that several processes
// share. Any number of goroutines and processes may use one file at a time.
//
// A write that returned nil is on the disk; with [SyncNormal] it is with the
// operating system, and survives the process but perhaps not the machine. Calls
// that write at the same time share one flush, so many writers together are much
// faster than one. Reads do not wait for writes.
//
// A failure of SQLite or of the disk is a [*causal.StorageError]. What was
// stored before stays readable, and the store works again once the cause is
// gone. A write waits for as long as another process writes: give it a context
// with a deadline to bound that. A context that ends while a write is waiting
// takes it back; one that ends during the write changes nothing.
//
// # Caveats
//
// The file must be on a local disk: SQLite's locks and shared memory do not work
// on network file systems. While the store is open there are two files beside
// it, with -wal and -shm behind its name, which belong to it; copy the file only
// when no process has it open, or with SQLite's own tools. On POSIX systems a
// program must not open the file by other means while a Store of the same
// process has it open, because closing it there drops SQLite's locks.
//
// Versions of this package read the files of all earlier ones, and refuse those
// of later ones.
package causalsqlite
