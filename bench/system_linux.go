package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cores says which CPU runs what.
type cores struct {
	load    int // load generator and fake provider
	gateway int // the process under test
}

// pickCores takes the first two CPUs that this process may use.
func pickCores() (cores, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return cores{}, fmt.Errorf("reading the CPU affinity: %w", err)
	}
	var usable []int
	for cpu := range len(set) * strconv.IntSize {
		if set.IsSet(cpu) {
			usable = append(usable, cpu)
		}
	}
	if len(usable) < 2 {
		return cores{}, errors.New("two CPUs are needed: one for the load, one for the process under test")
	}
	return cores{load: usable[0], gateway: usable[1]}, nil
}

// pinSelf moves every thread of this process to one CPU. Later threads inherit it.
func pinSelf(cpu int) error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			continue
		}
		if err := pinThread(tid, cpu); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}

func pinThread(tid, cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	return unix.SchedSetaffinity(tid, &set)
}

// startPinned starts a child on one CPU. A child inherits the affinity of the thread that forks it, so that all of
// its threads are there from the first instruction on. The kernel kills it should this process die without cleaning up.
func startPinned(cmd *exec.Cmd, cpu, own int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := pinThread(0, cpu); err != nil {
		return err
	}
	// A process group of its own: Ctrl-C in the terminal is for the parent, which then stops its children.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	err := cmd.Start()
	return errors.Join(err, pinThread(0, own))
}

// cpuTime is the CPU time that all threads of a process have used, living and dead, in nanosecond resolution. The clock
// of another process is named by its inverted ID, as clock_getcpuclockid(3) does it.
func cpuTime(pid int) (time.Duration, error) {
	const schedClock = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &ts); err != nil {
		return 0, fmt.Errorf("reading the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// residentBytes is the resident set of a process.
func residentBytes(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parseResident(status)
}

// machineBusy is the CPU time that the whole machine has used on the two CPUs of the benchmark.
func machineBusy(c cores) (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	load, err := parseBusy(stat, c.load)
	if err != nil {
		return 0, err
	}
	gateway, err := parseBusy(stat, c.gateway)
	return load + gateway, err
}

// raiseFileLimit lets this process and its children hold thousands of connections. A failure shows itself later, as
// an error that names the limit.
func raiseFileLimit() {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return
	}
	limit.Cur = limit.Max
	_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}
