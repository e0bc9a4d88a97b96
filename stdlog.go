package llmgateway

import (
	"bytes"
	"io"
	"log"
	"sync"
)

// unsolicited is how net/http's client begins the line that it writes to the standard logger when a server sends more than
// it announced, or something that nobody asked for. It quotes up to 4 KiB of that: text of an answer.
const unsolicited = "Unsolicited response received on idle HTTP channel starting with "

// stdLog is a writer of the standard logger that takes the quote out of that line. Everything else passes.
type stdLog struct{ io.Writer }

// Write gets a whole line, as the standard logger guarantees.
func (l stdLog) Write(line []byte) (int, error) {
	_, quote, found := bytes.Cut(line, []byte(unsolicited))
	if !found {
		return l.Writer.Write(line)
	}
	clean := append([]byte(nil), line[:len(line)-len(quote)]...)
	clean = append(clean, "(left out)"...)
	if i := bytes.LastIndex(quote, []byte("; err=")); i >= 0 {
		clean = append(clean, quote[i:]...)
	} else {
		clean = append(clean, '\n')
	}
	if _, err := l.Writer.Write(clean); err != nil {
		return 0, err
	}
	return len(line), nil
}

var guarding sync.Mutex

// guardStdLog keeps text of answers out of the standard logger, where net/http leaves no other way: the transport has no
// logger of its own, and which bytes are too many only it knows. The output that is there stays and is written through.
// Caddy may replace it whenever it loads a configuration, just before the modules are provisioned, so this has to be done
// at each of those times.
func guardStdLog() {
	guarding.Lock()
	defer guarding.Unlock()
	if _, already := log.Writer().(stdLog); !already {
		log.SetOutput(stdLog{log.Writer()})
	}
}
