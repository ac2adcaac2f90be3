// Package causalnats keeps events in NATS JetStream, for services that outgrow one machine and one database: a
// log that three servers keep, and that every process has a copy of. It is tested with nats-server 2.15, and
// needs 2.12.
//
// # Basics
//
// Call [Provision] when the program is installed or updated; it creates the streams. [Open] a [Store], or
// make one with [New] on a connection that the program has, and pass it wherever a storage of package
// causal is needed: it is a [causal.Store], with all capabilities. Any number of processes on any number of
// machines may use it at a time, each with a node ID of its own.
//
// A save is a message in the stream of the log; concurrent saves of one Store share one. Every Store
// applies the log to a copy of its own, [Options.Replica], by a rule that depends on nothing but the log: so
// all of them hold the same events at the same cursors, and refuse the same saves. Reads come from the
// copy, after the leader of the stream was asked how far the log is, and the copy has come as far.
//
// A write that has returned nil is on the disks of most servers, if they are configured with sync_interval:
// always. Otherwise it survives the crash of a process, not a loss of power. The library cannot see this
// setting. docs/nats.md has the configuration of the servers, the permissions that are needed, backup,
// and what to do when the log was lost.
//
// A failure is a [*causal.StorageError]. While servers are down or elect a leader, calls try again
// for as long as [Options.Retry]. Saving is idempotent, so that a save whose outcome is unknown is resolved by
// saving again. Canceling the context withdraws a save that is still waiting for its turn. Canceling it
// later leaves the event stored or not, and the error matches [causal.ErrOutcomeUnknown].
//
// # Caveats
//
// A replica in memory is filled anew whenever a Store is opened, and takes about a kilobyte for each event. For
// more than a million events use one in a file, of package causalsqlite; a new process starts sooner with a copy
// of that of another one.
//
// A record of more than a message, such as a batch of many megabytes, is sent as up to 1,000 messages, all
// or none. A checkpoint, an error entry or what was rejected must fit into one message; max_payload of the
// servers is 1 MB by default, and should be 8 MB.
//
// Clocks, checkpoints and what was rejected are kept by the servers, not in the replica. What is deleted of
// them leaves a message of a few bytes for each name.
package causalnats
