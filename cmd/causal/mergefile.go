package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/cmd/causal/internal/text"
)

type mergeFileCommand struct {
	Base    string `arg:"" optional:"" help:"The common ancestor of both files (%O of git)."`
	Ours    string `arg:"" optional:"" help:"Our file, which is replaced by the result (%A)."`
	Theirs  string `arg:"" optional:"" help:"Their file (%B)."`
	Name    string `arg:"" optional:"" help:"The name of the file for messages (%P)."`
	Install string `help:"Install it as the merge driver for files with this pattern in the current repository, such as '*.jsonl'." placeholder:"PATTERN"`
}

// Run is called by kong.
func (c *mergeFileCommand) Run(ctx context.Context, a *app) error {
	if c.Install != "" {
		if c.Base != "" {
			return errors.New("--install takes no files")
		}
		return c.install(ctx, a)
	}
	if c.Theirs == "" {
		return errors.New("three files are needed: BASE OURS THEIRS")
	}
	name := cmp.Or(c.Name, c.Ours)
	var sides [3]file
	for k, path := range []string{c.Base, c.Ours, c.Theirs} {
		var err error
		if sides[k], err = readFile(path); err != nil {
			return fmt.Errorf("%s: not merged, and still ours: %w", name, err)
		}
	}
	merged, notes, hasConflict := mergeFiles(sides[0], sides[1], sides[2])
	err := replaceFile(c.Ours, func(out io.Writer) error {
		_, err := out.Write(merged)
		return err
	})
	if err != nil {
		return err
	}
	for _, note := range notes {
		a.note("%s: %s", name, note)
	}
	if hasConflict {
		return errFindings
	}
	return nil
}

// file is a file of JSON lines.
type file struct {
	bom    string // at its beginning: that of UTF-8, which Windows programs write, or nothing
	events map[causal.EventID]entry
	others map[string]int // lines that are not events, and the number of each
	order  []string       // of these lines
}

// entry is an event with its unchanged lines: several if its content differs.
type entry struct {
	event causal.Event
	lines []string
}

func readFile(path string) (file, error) {
	f := file{events: map[causal.EventID]entry{}, others: map[string]int{}}
	data, err := os.ReadFile(path)
	switch {
	case err != nil:
		return f, err
	case !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0:
		return f, fmt.Errorf("%s is not a text in UTF-8", path)
	}
	if bytes.HasPrefix(data, []byte(byteOrderMark)) {
		f.bom, data = byteOrderMark, data[len(byteOrderMark):]
	}
	for raw := range bytes.Lines(data) {
		line := string(bytes.TrimSuffix(raw, []byte("\n")))
		var e causal.Event
		if strings.Trim(line, " \t\r") == "" {
			continue
		}
		if e.UnmarshalJSON(bytes.TrimSpace(raw)) != nil {
			if f.others[line]++; f.others[line] == 1 {
				f.order = append(f.order, line)
			}
			continue
		}
		known, ok := f.events[e.ID()]
		if !ok {
			known.event = e
		}
		if !ok || !known.event.Equal(e) && !slices.Contains(known.lines, line) {
			known.lines = append(known.lines, line)
		}
		f.events[e.ID()] = known
	}
	return f, nil
}

const byteOrderMark = "\ufeff"

// same reports whether both files have the same lines for an event.
func same(a, b entry) bool {
	return len(a.lines) == len(b.lines) && (len(a.lines) < 2 || slices.Equal(a.lines, b.lines)) && a.event.Equal(b.event)
}

// mergeFiles merges two files derived from a third one: events in causal order,
// each once, with their lines unchanged. A change or removal by one side is
// applied. If both sides changed an event, or added lines that are not events,
// these are put between git's conflict markers.
func mergeFiles(base, ours, theirs file) (merged []byte, notes []string, hasConflict bool) {
	var out bytes.Buffer
	out.WriteString(ours.bom)
	mark := func(ours, theirs string) {
		out.WriteString("<<<<<<< ours\n" + ours + "=======\n" + theirs + ">>>>>>> theirs\n")
	}
	removed := 0
	for _, e := range inOrder(base, ours, theirs) {
		b, o, t := base.events[e.ID()], ours.events[e.ID()], theirs.events[e.ID()]
		switch {
		case (same(o, t) || same(b, t)) && len(o.lines) < 2:
			out.WriteString(joinLines(o.lines...))
			removed += max(0, len(t.lines)-len(o.lines))
		case same(b, o) && len(t.lines) < 2:
			out.WriteString(joinLines(t.lines...))
			removed += max(0, len(o.lines)-len(t.lines))
		default:
			mark(joinLines(o.lines...), joinLines(t.lines...))
			what := "has two contents"
			if len(o.lines)*len(t.lines) == 0 {
				what = "was changed by one side and removed by the other"
			}
			notes = append(notes, fmt.Sprintf("event %s %s", e.ID(), what))
		}
	}
	hasConflict = len(notes) > 0
	if removed > 0 {
		notes = append(notes, text.Count(removed, "event")+" left out: removed by one side")
	}
	var newOurs, newTheirs string
	count, dropped := 0, 0
	for _, line := range slices.Concat(ours.order, theirs.order) {
		b, o, t := base.others[line], ours.others[line], theirs.others[line]
		delete(ours.others, line) // it may be in both
		delete(theirs.others, line)
		out.WriteString(strings.Repeat(line+"\n", min(o, t)))
		switch {
		case o > max(b, t):
			newOurs, count = newOurs+strings.Repeat(line+"\n", o-t), count+o-t
		case t > max(b, o):
			newTheirs, count = newTheirs+strings.Repeat(line+"\n", t-o), count+t-o
		default:
			dropped += max(o, t) - min(o, t)
		}
	}
	if dropped > 0 {
		notes = append(notes, text.Count(dropped, "other line")+" left out: removed by one side")
	}
	if count > 0 {
		mark(newOurs, newTheirs)
		notes = append(notes, "no events: "+text.Count(count, "new line"))
	}
	return out.Bytes(), notes, hasConflict || count > 0
}

// inOrder returns the events of files in causal order, each once.
func inOrder(files ...file) (events []causal.Event) {
	all := map[causal.EventID]causal.Event{}
	for _, f := range files {
		for id, one := range f.events {
			all[id] = one.event
		}
	}
	return slices.SortedFunc(maps.Values(all), causal.Compare)
}

func joinLines(lines ...string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// install adds the driver to the configuration of the repository, and the
// pattern to .gitattributes.
func (c *mergeFileCommand) install(ctx context.Context, a *app) error {
	if strings.ContainsAny(c.Install, " \t\n\"") || strings.HasPrefix(c.Install, "#") || strings.HasPrefix(c.Install, "!") {
		return errors.New("the pattern has characters with a special meaning in .gitattributes")
	}
	root, err := exec.CommandContext(ctx, "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return errors.New("the current directory is not in a git repository")
	}
	for _, setting := range [][2]string{{"merge.causal.name", "union of causal events"}, {"merge.causal.driver", "causal merge-file -- %O %A %B %P"}} {
		if out, err := exec.CommandContext(ctx, "git", "config", setting[0], setting[1]).CombinedOutput(); err != nil {
			return fmt.Errorf("git config: %w: %s", err, out)
		}
	}
	path := strings.TrimSuffix(string(root), "\n") + "/.gitattributes"
	attributes, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	entry := c.Install + " merge=causal"
	if !slices.ContainsFunc(strings.Split(string(attributes), "\n"), func(line string) bool { return strings.TrimSpace(line) == entry }) {
		if len(attributes) > 0 && !bytes.HasSuffix(attributes, []byte("\n")) {
			attributes = append(attributes, '\n')
		}
		if err := os.WriteFile(path, append(attributes, entry+"\n"...), 0o644); err != nil {
			return err
		}
	}
	return a.say("%s are merged by causal in this clone; commit .gitattributes, and run this in each clone", c.Install)
}
