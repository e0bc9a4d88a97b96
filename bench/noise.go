package main

import (
	"os"
	"time"
)

// noiseMeter measures what other programs did on the two CPUs meanwhile.
type noiseMeter struct {
	wall, others    time.Duration
	start           time.Time
	busyAt, ownedAt time.Duration
}

func (m *noiseMeter) begin(b *bench) (err error) {
	m.start = time.Now()
	m.busyAt, m.ownedAt, err = b.cpuNow()
	return err
}

func (m *noiseMeter) end(b *bench) error {
	busy, owned, err := b.cpuNow()
	if err != nil {
		return err
	}
	m.wall += time.Since(m.start)
	m.others += max(0, (busy-m.busyAt)-(owned-m.ownedAt))
	return nil
}

// share is what others used of the two CPUs, as a fraction of 1.
func (m *noiseMeter) share() float64 {
	if m.wall == 0 {
		return 0
	}
	return float64(m.others) / float64(2*m.wall)
}

// cpuNow returns the CPU time used so far on the benchmark's CPUs, by everything and by the benchmark's processes.
func (b *bench) cpuNow() (busy, owned time.Duration, err error) {
	if busy, err = machineBusy(b.cores); err != nil {
		return 0, 0, err
	}
	pids := []int{os.Getpid(), b.provider.pid()}
	for _, l := range b.lanes {
		pids = append(pids, l.proc.pid())
	}
	for _, pid := range pids {
		used, err := cpuTime(pid)
		if err != nil {
			return 0, 0, err
		}
		owned += used
	}
	return busy, owned, nil
}
