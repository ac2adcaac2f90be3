// Package causal is an event log for services that work offline. Nodes emit
// events, exchange them in any order, lose connections, crash and are restored
// from backups. They still agree on one history, know which events conflict,
// and resolve the conflicts in the same way everywhere.
//
// # Nodes
//
// A [Node] emits and receives events, and keeps them in a store:
//
//	node, err := causal.OpenNode(ctx, "alice", store, causal.NodeOptions{ProjectUUID: project})
//	event, err := node.Emit(ctx, causal.EventParams{Type: "TitleChanged", AggregateID: "doc-1"})
//	receipt, err := node.Receive(ctx, events, nil) // from elsewhere
//
// An event returned by Emit is stored, and follows everything the store held
// before: its Lamport clock is greater, and its parents are the heads of its
// aggregate. [Node.Decide] emits events based on a history, provided the
// history is still complete when they are saved. Receive accepts events in any
// order and any number of times. Package causalsync exchanges the difference
// between two nodes. Nothing goes wrong silently: a missing event is reported
// as a [Gap], a node running twice or restored from a backup as a [ForkError],
// and an unacceptable event is rejected and kept.
//
// # Three orders
//
// An [Event] is an immutable value, emitted by a Node, created by [NewEvent] or
// decoded from JSON. An event is stamped if it names its parents and the clock
// of its node's previous event. The events of a Node are stamped; others, such
// as those of the Python library, are plain. There are three orders:
//
//   - [Compare] is total and the same on all nodes. It never contradicts
//     causality, but also orders unrelated events.
//   - Causality is the partial order given by parents, causes, vector clocks,
//     and the sequence of each node's events. A [History] answers whether one
//     event happened before another, whether they are concurrent, or that it is
//     unknown. It finds heads, conflicts, gaps and forks. If no event is
//     missing, it knows the relation of any two stamped events of an aggregate.
//   - Arrival is the order of one log. A late event from an offline node sorts
//     before others under Compare, but arrives after them. [LogReader],
//     [Follow] and [Consume] read in this order and miss nothing.
//
// Wall clocks never affect ordering: [Event.Timestamp] is informational.
//
// # Merges and states
//
// Merge functions reduce a set of events to one answer, whatever their order
// and repetition: [MergeGSet], [MergeORSet], [MergeCounter], [MergeLWW],
// [MergeMV], [ResolveState] and [MergeStateMachine]. If you keep state instead
// of events, use the types behind the merges. [GSet], [ORSet], [PNCounter] and
// [LWWRegister] apply events one at a time, in any order and any number of
// times, and merge with other replicas. A replica that tracks the events it has
// seen can send a lagging peer just a [Delta], and can discard history that
// every node has seen (see [StableCut]).
//
// # Conventions
//
// Unless noted otherwise, everything is safe for concurrent use, and no
// function retains or modifies a slice or map passed to it. Invalid arguments,
// including a nil context, store or function, are reported as a
// [*ValidationError].
//
// # Without a Node
//
// The parts of a Node can be used alone, as in the Python package. A
// [LamportClock] ticks for each emitted event and advances past each received
// one, so an event's clock is greater than the clocks of everything that led to
// it. The converse does not hold: [IsConcurrent], which compares clocks, has no
// false positives but misses most concurrent pairs. [TopologicalSort] puts
// causes before effects. If you stamp events yourself, use one clock at a time
// for a node ID, unless the storage is a [ClockAdvancer], and save each event
// before applying it.
//
// # Storage
//
// [MemStore] keeps everything in memory, module causalsqlite in one file,
// module causalpg in a PostgreSQL database, and module causalnats in NATS
// JetStream. They implement [Store], which combines small interfaces such as
// [EventStore]; a Node needs [NodeStorage]. Package causaltest checks a store,
// and package causaladapter helps to write one. Stores only append: different
// content under a stored event ID is an error, and nothing is ever overwritten.
//
// # Errors
//
// Each kind of failure has a sentinel for [errors.Is], such as [ErrValidation],
// and if there is more to know a struct for [errors.As], such as
// [ValidationError]. The text of an error may contain event IDs and clock
// values, but never payloads, names or other text values.
//
// # Caveats
//
// A node ID names one history. A new installation, or a copy of a storage,
// needs an ID of its own. A plain copy of a file cannot be told from the
// original, so its node forks. Where two events of a node with the same clock
// would lead to a wrong answer, you get an [ErrFork] instead.
//
// A Node needs all events of its project. An event it emits follows all stored
// events of its aggregate unless the caller says which ones were read (see
// [EventParams] and [Node.Decide]). Events are never erased.
//
// Each event of a faulty node can advance all clocks by as much as
// [LamportClockOptions] allow. Merges and histories need their events in
// memory. Payloads and unknown members nested more than 1000 levels deep are
// refused.
//
// # Compatibility
//
// This is the Go port of the Python package spec-kitty-events 0.4.0, and reads
// and writes its events; docs/wire-format.md specifies the format. Until
// version 1.0 the Go API may change in minor versions, as described in the
// changelog. The texts of errors, of [Event.String] and of resolution notes are
// for people and may change at any time.
package causal
