//go:build !linux

package main

import (
	"errors"
	"os/exec"
	"time"
)

// cores says which CPU runs what.
type cores struct{ load, gateway int }

var errNeedsLinux = errors.New("the benchmark needs Linux: it pins processes to CPUs and reads /proc")

func pickCores() (cores, error)                { return cores{}, errNeedsLinux }
func pinSelf(int) error                        { return errNeedsLinux }
func startPinned(*exec.Cmd, int, int) error    { return errNeedsLinux }
func cpuTime(int) (time.Duration, error)       { return 0, errNeedsLinux }
func residentBytes(int) (int64, error)         { return 0, errNeedsLinux }
func machineBusy(cores) (time.Duration, error) { return 0, errNeedsLinux }
func raiseFileLimit()                          {}
