package llmgateway

import (
	"net/http"
	"sync"
	"time"
)

const (
	// patience is how long a client of a stream is left without a sign of life. Proxies on the way and clients
	// themselves give up after 30 to 60 seconds.
	patience = 25 * time.Second
	// keepAliveInterval is the time between further signs.
	keepAliveInterval = 15 * time.Second
)

// keepAlive opens the response to a stream whose first content takes long, and writes what clients of the dialect skip
// until there is content. The commit point is not reached by that: targets may still fail and others be tried. It has a
// timer, and until it is stopped the response is its own.
type keepAlive struct {
	mu     sync.Mutex
	timer  *time.Timer
	w      http.ResponseWriter
	rc     *http.ResponseController
	id     string
	frame  []byte
	opened bool // the header has been sent
	over   bool
}

func startKeepAlive(w http.ResponseWriter, id string, frame []byte) *keepAlive {
	k := &keepAlive{w: w, id: id, frame: frame}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.timer = time.AfterFunc(patience, k.write)
	return k
}

func (k *keepAlive) write() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over {
		return
	}
	if !k.opened {
		k.opened, k.rc = true, http.NewResponseController(k.w)
		h := k.w.Header()
		h["X-Request-Id"] = []string{k.id}
		h["Request-Id"] = h["X-Request-Id"]
		streamHeaders(h, contentTypeSSE)
		k.w.WriteHeader(http.StatusOK)
	}
	if _, err := k.w.Write(k.frame); err == nil && flushNow(k.rc) == nil {
		k.timer.Reset(keepAliveInterval)
	}
}

// stop ends it and reports whether the response has been opened. From then on the response is the caller's.
func (k *keepAlive) stop() bool {
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.over = true
	k.timer.Stop()
	return k.opened
}

// streamHeaders are what every stream has.
func streamHeaders(h http.Header, contentType []string) {
	h["Content-Type"] = contentType
	h["Cache-Control"] = noCache
	h["X-Accel-Buffering"] = []string{"no"}
}
