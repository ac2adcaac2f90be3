package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spec-kitty/causal/cmd/causal/internal/input"
)

// output calls write with standard output or, if path is given, with a new file
// that takes its place if everything succeeds. path must not be a store or one
// of the inputs.
func (a *app) output(ctx context.Context, path string, inputs []string, write func(io.Writer) error) error {
	if path == "" || path == "-" {
		out := bufio.NewWriterSize(a.Stdout, 1<<16)
		if err := write(out); err != nil {
			return err
		}
		return out.Flush()
	}
	if input.IsStore(path) {
		return fmt.Errorf("%s is a store, and stores are not replaced", path)
	}
	if old, err := os.Stat(path); err == nil {
		for _, name := range inputs {
			if in, err := os.Stat(name); err == nil && os.SameFile(old, in) {
				return fmt.Errorf("%s is an input, and inputs are not replaced", path)
			}
		}
	}
	return replaceFile(path, func(f io.Writer) error {
		f = interruptible{ctx, f}
		if !strings.HasSuffix(path, ".gz") {
			return write(f)
		}
		packed := gzip.NewWriter(f)
		if err := write(packed); err != nil {
			return err
		}
		return packed.Close()
	})
}

// interruptible is a writer that fails if its context is done.
type interruptible struct {
	context.Context
	out io.Writer
}

func (w interruptible) Write(b []byte) (int, error) {
	if err := w.Err(); err != nil {
		return 0, err
	}
	return w.out.Write(b)
}

// replaceFile writes a file, which appears, possibly replacing another, once it
// is complete. It gets the mode of the replaced file. If path is not a regular
// file, it is written directly.
func replaceFile(path string, write func(io.Writer) error) error {
	mode := fs.FileMode(0o666) // minus the umask
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a directory", path)
	case err == nil && !info.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return closeAfter(f, write(f))
	case err == nil:
		mode = info.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	f, err := os.OpenFile(fmt.Sprintf("%s.%d.new", path, os.Getpid()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	buffer := bufio.NewWriterSize(f, 1<<16)
	err = write(buffer)
	if err == nil {
		err = buffer.Flush()
	}
	if err == nil && info != nil {
		err = f.Chmod(mode) // in case the umask has changed it
	}
	if err == nil {
		err = f.Sync()
	}
	if err = closeAfter(f, err); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// closeAfter closes a file, and returns the first error.
func closeAfter(f io.Closer, err error) error {
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}
