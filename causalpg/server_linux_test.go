package causalpg_test

import (
	"errors"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// serverUser returns the user to run the server, which refuses to run as root.
func serverUser() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("there is no user postgres or nobody")
}

// giveAway lets the server use the directory.
func giveAway(dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := serverUser()
	if err != nil {
		return err
	}
	return os.Chown(dir, int(u.Uid), int(u.Gid))
}

func otherUser() *syscall.SysProcAttr {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := serverUser()
	if err != nil {
		return nil // giveAway has reported it
	}
	return &syscall.SysProcAttr{Credential: u}
}

// otherUserThatEnds also terminates the process when this one ends.
func otherUserThatEnds() *syscall.SysProcAttr {
	attributes := otherUser()
	if attributes == nil {
		attributes = &syscall.SysProcAttr{}
	}
	attributes.Pdeathsig = syscall.SIGINT
	return attributes
}

// crash stops the server immediately, without a checkpoint.
func (s *server) crash() {
	_ = s.process.Signal(syscall.SIGQUIT)
	<-s.ended
}
