//go:build !linux

package causalpg_test

import "syscall"

func giveAway(string) error { return nil }

func otherUser() *syscall.SysProcAttr { return nil }

func otherUserThatEnds() *syscall.SysProcAttr { return nil }

// crash stops the server immediately, without a checkpoint.
func (s *server) crash() {
	_ = s.process.Kill()
	<-s.ended
}
