package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// parseResident reads VmRSS from the text of /proc/<pid>/status, in bytes.
func parseResident(status []byte) (int64, error) {
	for line := range bytes.Lines(status) {
		rest, ok := bytes.CutPrefix(line, []byte("VmRSS:"))
		if !ok {
			continue
		}
		fields := bytes.Fields(rest)
		if len(fields) != 2 || string(fields[1]) != "kB" {
			return 0, fmt.Errorf("unexpected VmRSS line %q", line)
		}
		kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("unexpected VmRSS line %q: %w", line, err)
		}
		return kib * 1024, nil
	}
	return 0, errors.New("no VmRSS line: the process has ended")
}

// tick is the unit of /proc/stat. The kernel fixes it at a hundredth of a second for user space on every architecture
// that Go runs on.
const tick = time.Second / 100

// parseBusy reads from the text of /proc/stat how long one CPU has not been idle. Steal is left out: it is other
// machines' work.
func parseBusy(stat []byte, cpu int) (time.Duration, error) {
	name := "cpu" + strconv.Itoa(cpu)
	for line := range bytes.Lines(stat) {
		fields := bytes.Fields(line)
		if len(fields) == 0 || string(fields[0]) != name {
			continue
		}
		if len(fields) < 8 {
			return 0, fmt.Errorf("line %q of /proc/stat is too short", line)
		}
		var ticks int64
		for _, i := range [...]int{1, 2, 3, 6, 7} { // user, nice, system, irq, softirq; 4 and 5 are idle and iowait
			n, err := strconv.ParseInt(string(fields[i]), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("line %q of /proc/stat: %w", line, err)
			}
			ticks += n
		}
		return time.Duration(ticks) * tick, nil
	}
	return 0, fmt.Errorf("/proc/stat has no line for %s", name)
}

// parseLive reads from the text form of Go's heap profile how many bytes of heap objects and of stacks there are.
func parseLive(profile []byte) (int64, error) {
	var heap, stacks int64
	for line := range bytes.Lines(profile) {
		var err error
		if rest, ok := bytes.CutPrefix(line, []byte("# HeapAlloc = ")); ok {
			heap, err = strconv.ParseInt(string(bytes.TrimSpace(rest)), 10, 64)
		} else if rest, ok := bytes.CutPrefix(line, []byte("# Stack = ")); ok { // in use / reserved
			inUse, _, _ := bytes.Cut(rest, []byte(" / "))
			stacks, err = strconv.ParseInt(string(bytes.TrimSpace(inUse)), 10, 64)
		}
		if err != nil {
			return 0, fmt.Errorf("heap profile: line %q: %w", line, err)
		}
	}
	if heap == 0 || stacks == 0 {
		return 0, errors.New("the heap profile does not say how much memory is in use")
	}
	return heap + stacks, nil
}
