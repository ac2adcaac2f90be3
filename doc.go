// Package causal orders events that nodes emit without a central sequencer:
// nodes that work offline, exchange events in any order, lose connections and
// crash, and must still agree on one history, know which events conflict, and
// resolve them the same way everywhere. It is the Go port of the Python package
// spec-kitty-events 0.4.0, whose events it reads and writes.
//
// # Basics
//
// Each node has a [LamportClock]. It ticks for each event that the node emits,
// and moves beyond the clock of each event that the node receives:
//
//	value, err := clock.Tick(ctx)                       // for an event of our own
//	_, err = clock.Update(ctx, received.LamportClock()) // for one from elsewhere
//
// An [Event] is an immutable value, made by [NewEvent] or decoded from JSON, and
// kept in an [EventStore]. [Compare] puts events in one total order that is the
// same on all nodes. [IsConcurrent] finds events in conflict, [TopologicalSort]
// puts causes before effects, and the merges ([MergeGSet], [MergeORSet],
// [MergeCounter], [MergeLWW], [MergeStateMachine]) fold a set of events into one
// answer, whatever order the events came in and however often.
//
// Who keeps state rather than events uses what is behind the merges: [GSet],
// [ORSet], [PNCounter] and [LWWRegister] apply events one by one, also late or
// again, and merge with the states of other nodes. A state that knows what it has
// seen can send a [Delta] to a replica that has seen less, and forget what all
// nodes have seen ([StableCut]).
//
// Everything is safe for concurrent use, and owns nothing that it is given, unless
// its comment says otherwise. A nil context, store or function is a
// [*ValidationError], as is all other bad input.
//
// # What a Lamport clock can tell
//
// If event a caused event b, directly or through others, then a's clock is less
// than b's, provided that each node updates its clock before it emits. The
// converse does not hold: a lesser clock proves nothing. So Compare never
// contradicts causality, but also orders events that know nothing of each other.
// IsConcurrent is right where it says yes (equal clocks exclude causality) and
// most often says no where two events are concurrent. What it cannot tell, a
// [VectorClock] can, if the nodes keep one ([VectorTracker]) and their events carry
// it: see [Relation].
//
// Wall clocks play no part: [Event.Timestamp] is for people.
//
// # Storage
//
// The library writes through small interfaces: [EventStore], [ClockStorage] and
// [ErrorStorage]. An adapter may also offer [BatchSaver], [LogReader] and
// [ClockAdvancer], which are found by type assertion. [MemEventStore],
// [MemClockStorage] and [MemErrorStorage] keep everything in memory, work as zero
// values and have all capabilities; module causalsqlite keeps everything in one
// file, causalpg in a PostgreSQL database. Package causaltest checks an adapter.
// Stores only append: an event ID that is taken
// by different content is an error, and nothing is ever overwritten.
//
// There are two orders. Loads and merges use that of Compare. For delivery to
// others there is the order of arrival, with a [Cursor]: an event that comes late
// from an offline node sorts before what a reader has seen, so a position in the
// order of Compare would miss it.
//
// # Errors
//
// Each kind of failure has a sentinel for [errors.Is], and where more is known a
// struct for [errors.As]: [ErrValidation] and [ValidationError], and so on. No
// error text contains a payload or a field's value.
//
// # Caveats
//
// A node ID belongs to one clock at a time, unless the storage is a
// [ClockAdvancer]. A broken node can push all clocks ahead, up to the end of
// their range, unless [LamportClockOptions] bound the jump. The merges need every
// event in memory. Payloads and unknown members nested more than 1000 deep are
// refused.
//
// # Compatibility
//
// The wire format is that of the Python package; docs/wire-format.md specifies
// it. Until version 1.0 the Go API may change in minor versions; the changelog
// says how. Texts of errors, of [Event.String] and of resolution notes are for
// people and may change at any time.
package causal
