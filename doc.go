// Package causal orders events that nodes emit without a central sequencer. Nodes
// work offline, exchange events in any order, lose connections and crash, and must
// still agree on one history, know which events conflict, and resolve them the same
// way everywhere. It is the Go port of the Python package spec-kitty-events 0.4.0,
// whose events it reads and writes.
//
// # Basics
//
// A [Node] emits and receives events, and keeps them in a store:
//
//	node, err := causal.OpenNode(ctx, "alice", store, causal.NodeOptions{ProjectUUID: project})
//	event, err := node.Emit(ctx, causal.EventParams{Type: "TitleChanged", AggregateID: "doc 1"})
//	receipt, err := node.Receive(ctx, events, nil) // from elsewhere
//
// An event that it emits comes after all that the store holds: its Lamport clock is
// greater, and it names the heads of its aggregate as its parents. Nothing goes wrong
// in silence: a missing event is a [Gap], a node that runs twice or went back to a backup
// is a [ForkError], and what cannot be taken is rejected and kept. Without a Node, a
// [LamportClock] ticks for each event that is emitted, and moves past each one that is
// received.
//
// An [Event] is an immutable value, made by a Node, by [NewEvent] or decoded from JSON, and
// kept in an [EventStore]. [Compare] puts events in one total order, which is the
// same on all nodes. a [History] finds events in conflict,
// [TopologicalSort] puts causes before effects, and the merges ([MergeGSet],
// [MergeORSet], [MergeCounter], [MergeLWW], [MergeStateMachine]) fold a set of events
// into one answer. Neither the order of the events nor repetitions make a difference.
//
// If you keep state instead of events, use the types behind the merges. [GSet],
// [ORSet], [PNCounter] and [LWWRegister] apply events one at a time, in any order and
// any number of times, and merge with copies held by other nodes. A replica that
// tracks what it has seen can send a lagging peer just a [Delta], and can discard
// history that every node has seen (see [StableCut]).
//
// Unless noted otherwise, everything is safe for concurrent use, and no function
// retains or modifies a slice or map passed to it. Invalid arguments, including a nil
// context, store or function, are reported as a [*ValidationError].
//
// # What a Lamport clock can tell
//
// If event a caused event b, directly or through others, then a's clock is less than
// b's, provided that each node updates its clock before it emits. The converse does
// not hold: a smaller clock proves nothing. So Compare never contradicts causality,
// but it also orders events that know nothing of each other. IsConcurrent has no false
// positives, because equal clocks rule out causality, but it misses most concurrent
// pairs. Events that name their parents, as those of a [Node] do, make a [History] exact
// within an aggregate, whatever the number of nodes. Across aggregates it knows what
// chains, causes and vector clocks say ([NodeOptions]), and says if it does not know.
//
// Wall clocks play no part: [Event.Timestamp] is for people.
//
// # Storage
//
// The library writes through small interfaces: [EventStore], [ClockStorage],
// [ErrorStorage] and [CheckpointStorage]. An adapter may also implement [BatchSaver],
// [EventFinder], [AggregateLister], [LogReader] and [ClockAdvancer], which are found by
// type assertion; a [Store] is all of them. [MemStore] keeps everything in memory, module
// causalsqlite in one file, module causalpg in a PostgreSQL database. Package causaltest
// checks an adapter, and package causaladapter helps to write one. Stores only append:
// different content under a stored event ID is an error, and nothing is ever overwritten.
//
// There are two orders. Loads and merges use the order of Compare. Replication reads
// in arrival order, from a [Cursor]. A late event from an offline node sorts before
// events that a reader has already consumed, so a position in Compare order would
// skip it.
//
// # Errors
//
// Each kind of failure has a sentinel for [errors.Is], and where more is known a
// struct for [errors.As]: [ErrValidation] and [ValidationError], and so on. The
// text of an error may contain event IDs and clock values, and never a payload, a name
// or another text value.
//
// # Caveats
//
// A node ID names one history: an installation that begins anew, or a copy of a storage,
// needs an ID of its own. A plain copy of a file is not told from the original, and its
// node forks; what would give a wrong answer over two events of one clock value returns
// an [ErrFork]. Whoever stamps events without a Node has one clock for a node ID at a time,
// unless the storage is a [ClockAdvancer], and saves an event before it is applied.
//
// A Node needs all events of its project. Where events of an aggregate come from one store,
// they are in order unless the caller says what was read ([EventParams], [Node.Decide]).
//
// Each event of a broken node can push all clocks ahead by as much as
// [LamportClockOptions] allow. The merges need every event in memory.
// Payloads and unknown members nested more than 1000 levels deep are refused.
//
// # Compatibility
//
// The wire format is that of the Python package; docs/wire-format.md specifies it.
// Until version 1.0 the Go API may change in minor versions; the changelog says how.
// The texts of errors, of [Event.String] and of resolution notes are for people and
// may change at any time.
package causal
