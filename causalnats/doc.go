// Package causalnats keeps events in NATS JetStream, for services that outgrow
// one machine and one database: three servers keep the log, and every process
// has a copy of it. It is tested with nats-server 2.15, and needs 2.12.
//
// # Basics
//
// Call [Provision] when the program is installed or updated, to create the
// streams. [Open] a [Store], or create one with [New] on an existing
// connection, and pass it wherever a storage of package causal is needed: it is
// a [causal.Store], with all capabilities. Any number of processes on any
// number of machines may use it concurrently.
//
// A save is a message in the stream of the log; concurrent saves of one Store
// share one. Every Store applies the log to its own copy, [Options.Replica], by
// a rule that depends only on the log, so all of them hold the same events at
// the same cursors, and refuse the same saves. A read asks the leader of the
// stream for the end of the log, waits until the copy has caught up, and reads
// from the copy.
//
// A write that has returned nil is on the disks of a majority of servers, if
// they are configured with sync_interval: always. Otherwise it survives crashes
// of the servers' processes, but not a loss of power. The library cannot check
// this setting. docs/nats.md describes the configuration of the servers, the
// permissions, backups, and recovery from a lost log.
//
// A failure is reported as a [*causal.StorageError]. While servers are down or
// elect a leader, calls are retried for the time given by [Options.Retry].
// Saving is idempotent, so a save whose outcome is unknown is resolved by
// saving again. Canceling the context withdraws a save that is still waiting
// for its turn. After a later cancellation the event may or may not be stored,
// and the error matches [causal.ErrOutcomeUnknown].
//
// # Caveats
//
// A replica in memory is filled again whenever a Store is opened, and takes
// about a kilobyte for each event. For more than a million events use one in a
// file, of package causalsqlite. To start a new process faster, copy the file
// of another.
//
// A record larger than a message, such as a batch of many megabytes, is sent as
// up to 1,000 messages, all or none. A checkpoint, an error entry or a rejected
// event must fit into one message. The max_payload of the servers is 1 MB by
// default, and should be 8 MB.
//
// Clocks, checkpoints and rejected events are kept by the servers, not in the
// replica. Each deleted name leaves a message of a few bytes.
package causalnats
