package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spec-kitty/causal"
)

type mergeFileCommand struct {
	Base    string `arg:"" optional:"" help:"The file as it was before both changes (%O of git)."`
	Ours    string `arg:"" optional:"" help:"Our file, which becomes the result (%A)."`
	Theirs  string `arg:"" optional:"" help:"Their file (%B)."`
	Install string `help:"Make it the merge driver for files of this pattern in the repository of the current directory, such as '*.jsonl'." placeholder:"PATTERN"`
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
	ours, err := readLines(c.Ours)
	if err != nil {
		return err
	}
	theirs, err := readLines(c.Theirs)
	if err != nil {
		return err
	}
	merged, conflicts := mergeLines(ours, theirs)
	info, err := os.Stat(c.Ours)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Ours, merged, info.Mode()); err != nil {
		return err
	}
	for _, text := range conflicts {
		a.note("%s: %s", c.Ours, text)
	}
	if len(conflicts) > 0 {
		return errFindings
	}
	return nil
}

// line is a line of a file, without its end.
type line struct {
	raw   []byte
	event causal.Event // zero if it is none
}

func readLines(path string) ([]line, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var lines []line
	for raw := range bytes.Lines(data) {
		l := line{raw: bytes.TrimSuffix(raw, []byte("\n"))}
		if len(bytes.TrimSpace(raw)) == 0 {
			continue
		}
		_ = l.event.UnmarshalJSON(bytes.TrimSpace(raw)) // if it is none, people decide
		lines = append(lines, l)
	}
	return lines, nil
}

// mergeLines returns the union of two files: the events in causal order, each once, as their lines were. Lines of
// one ID with two contents, and those that are no events, stand between the markers of git, and are reported.
func mergeLines(ours, theirs []line) (merged []byte, conflicts []string) {
	type side struct{ ours, theirs [][]byte }
	of, inConflict := map[causal.EventID]*side{}, map[causal.EventID]bool{}
	var events []causal.Event
	first := map[causal.EventID]causal.Event{}
	var broken side
	add := func(lines []line, to func(*side) *[][]byte) {
		for _, l := range lines {
			if l.event.IsZero() {
				if list := to(&broken); !containsLine(*list, l.raw) {
					*list = append(*list, l.raw)
				}
				continue
			}
			id := l.event.ID()
			if of[id] == nil {
				of[id], first[id] = &side{}, l.event
				events = append(events, l.event)
			}
			isOther := !first[id].Equal(l.event)
			inConflict[id] = inConflict[id] || isOther
			if list := to(of[id]); len(*list) == 0 || isOther && !containsLine(*list, l.raw) {
				*list = append(*list, l.raw)
			}
		}
	}
	add(ours, func(s *side) *[][]byte { return &s.ours })
	add(theirs, func(s *side) *[][]byte { return &s.theirs })
	slices.SortFunc(events, causal.Compare)
	var out bytes.Buffer
	mark := func(s side) {
		out.WriteString("<<<<<<< ours\n" + joinLines(s.ours) + "=======\n" + joinLines(s.theirs) + ">>>>>>> theirs\n")
	}
	for _, e := range events {
		switch s := of[e.ID()]; {
		case inConflict[e.ID()]:
			mark(*s)
			conflicts = append(conflicts, fmt.Sprintf("event %s has two contents", e.ID()))
		case len(s.ours) > 0:
			out.WriteString(joinLines(s.ours))
		default:
			out.WriteString(joinLines(s.theirs))
		}
	}
	if n := len(broken.ours) + len(broken.theirs); n > 0 {
		mark(broken)
		conflicts = append(conflicts, fmt.Sprintf("%d lines are no events", n))
	}
	return out.Bytes(), conflicts
}

func containsLine(lines [][]byte, raw []byte) bool {
	return slices.ContainsFunc(lines, func(l []byte) bool { return bytes.Equal(l, raw) })
}

func joinLines(lines [][]byte) string {
	var b strings.Builder
	for _, l := range lines {
		b.Write(l)
		b.WriteByte('\n')
	}
	return b.String()
}

// install writes the driver into the configuration of the repository, and the pattern into .gitattributes.
func (c *mergeFileCommand) install(ctx context.Context, a *app) error {
	if strings.ContainsAny(c.Install, " \t\n\"") || strings.HasPrefix(c.Install, "#") || strings.HasPrefix(c.Install, "!") {
		return errors.New("the pattern has characters that .gitattributes would take for something else")
	}
	root, err := exec.CommandContext(ctx, "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return errors.New("the current directory is in no git repository")
	}
	for _, setting := range [][2]string{{"merge.causal.name", "union of causal events"}, {"merge.causal.driver", "causal merge-file %O %A %B"}} {
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
	if !slices.Contains(strings.Split(string(attributes), "\n"), entry) {
		if len(attributes) > 0 && !bytes.HasSuffix(attributes, []byte("\n")) {
			attributes = append(attributes, '\n')
		}
		if err := os.WriteFile(path, append(attributes, entry+"\n"...), 0o644); err != nil {
			return err
		}
	}
	return a.say("%s are merged by causal in this clone; commit .gitattributes, and run this in each clone", c.Install)
}
