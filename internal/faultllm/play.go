package faultllm

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// player performs a script on a wire.
type player struct {
	u *Upstream
	e *Entry
	s Script
	w wire

	pieces int
	bytes  int64
	events int
}

// part is a stretch of the body; it holds the k-th piece, or none if k is 0.
type part struct {
	text string
	k    int
}

// play reports the outcome and whether the connection may be used again.
func (p *player) play() (Outcome, bool) {
	s := &p.s
	if !wait(s.Delay, s.Hold, p.w.gone()) {
		return Gone, false
	}
	for _, status := range s.Inform {
		if p.w.raw(fmt.Sprintf("HTTP/1.1 %d %s\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", status, http.StatusText(status))) != nil {
			return Gone, false
		}
		if status == http.StatusSwitchingProtocols {
			<-p.w.gone()
			return Broken, false
		}
	}
	if p.cutAt(BeforeHead) {
		return p.end()
	}
	parts, contentType, streaming := p.parts()
	switch {
	case s.Gzip:
		parts = []part{{text: compressed(parts)}}
	case s.Burst:
		parts = []part{joined(parts)}
	}
	if err := p.head(parts, contentType, streaming); err != nil {
		return Gone, false
	}
	if p.cutAt(AfterHead) || p.cutAt(AfterPieces) && s.Cut.N == 0 && parts[0].k > 0 {
		return p.end()
	}
	for i := range parts {
		if outcome, over := p.send(parts[i]); over {
			return outcome, false
		}
		if s.BadChunk && i == 0 {
			_ = p.w.raw("ZZ\r\nno chunk\r\n")
			p.w.close()
			return Broken, false
		}
		if p.cutAt(AfterPieces) && p.pieces >= s.Cut.N && (i+1 == len(parts) || parts[i+1].k > 0 || s.Cut.N > 0) {
			return p.end()
		}
	}
	if outcome, over := p.fill(); over {
		return outcome, false
	}
	if p.w.finish() != nil {
		return Gone, false
	}
	return Complete, s.Head == "" && s.Lie == 0
}

func (p *player) cutAt(where Where) bool { return p.s.Cut != nil && p.s.Cut.Where == where }

// end performs the cut.
func (p *player) end() (Outcome, bool) {
	switch p.s.Cut.How {
	case RST:
		p.w.reset()
	case FIN:
		p.w.close()
	case End:
		if p.e.Status == 0 {
			p.w.close()
			break
		}
		return Broken, p.w.finish() == nil && p.s.Lie == 0
	case Stall:
		<-p.w.gone()
		return Gone, false
	}
	return Broken, false
}

// parts is the body in the stretches that are sent one by one.
func (p *player) parts() (parts []part, contentType string, streaming bool) {
	s, r := &p.s, &p.e.Request
	status := max(s.Status, http.StatusOK)
	streaming = r.Stream && status < 300
	if s.Stream != nil {
		streaming = *s.Stream && status < 300
	}
	contentType = "application/json"
	if streaming {
		contentType = "text/event-stream"
	}
	say := reply{dialect: r.Dialect, model: r.Model, pieces: s.Pieces, input: inputTokens(r.Body), usage: s.Usage}
	switch {
	case s.Pieces == 0:
		say.pieces = 3
	case s.Pieces < 0:
		say.pieces = 0
	}
	add := func(k int, text string) {
		if s.Mangle != nil {
			text = s.Mangle(text)
		}
		parts = append(parts, part{text, k})
	}
	switch {
	case s.Body != "" || s.Fill != 0 || s.Status == http.StatusNoContent:
		return []part{{text: s.Body}}, contentType, streaming
	case status >= 300:
		return []part{{text: ErrorBody(r.Dialect, status, s.Message)}}, contentType, false
	case !streaming && s.ErrorAfter > 0:
		return []part{{text: ErrorBody(r.Dialect, p.errorStatus(), s.Message)}}, contentType, false
	case !streaming:
		add(say.pieces, say.unary())
		return parts, contentType, false
	}
	before, pieces, after := say.stream()
	for _, text := range before {
		add(0, text)
	}
	for i, text := range pieces {
		if s.ErrorAfter == i+1 {
			add(0, say.errorEvent(p.errorStatus(), s.Message))
			return parts, contentType, true
		}
		if more := s.Insert[i+1]; more != "" {
			parts = append(parts, part{more, 0})
		}
		add(i+1, text)
	}
	for _, text := range after {
		add(0, text)
	}
	return parts, contentType, true
}

func joined(parts []part) part {
	var b strings.Builder
	k := 0
	for i := range parts {
		b.WriteString(parts[i].text)
		k = max(k, parts[i].k)
	}
	return part{b.String(), k}
}

func (p *player) errorStatus() int {
	if p.s.ErrorStatus == 0 {
		return http.StatusInternalServerError
	}
	return p.s.ErrorStatus
}

func (p *player) head(parts []part, contentType string, streaming bool) error {
	s := &p.s
	status := max(s.Status, http.StatusOK)
	p.u.update(p.e, func(e *Entry) { e.Status, e.Started = status, time.Now() })
	if s.Head != "" {
		return p.w.raw(s.Head)
	}
	h := http.Header{"Content-Type": {contentType}, "X-Request-Id": {p.e.ID}, "Date": {time.Now().UTC().Format(http.TimeFormat)}}
	if s.Gzip {
		h.Set("Content-Encoding", "gzip")
	}
	maps.Copy(h, s.Header)
	length := int64(-1)
	if !streaming && s.Fill >= 0 && !s.BadChunk {
		length = 0
		for _, part := range parts {
			length += int64(len(part.text))
		}
		length = max(length, s.Fill) + int64(s.Lie)
	} else if s.Lie != 0 {
		length = int64(s.Lie)
	}
	return p.w.head(status, h, length)
}

// send writes one part in the pieces that the script says. It reports over when that was the end.
func (p *player) send(part part) (Outcome, bool) {
	s := &p.s
	if part.k > 0 && s.Gate != nil && !wait(0, s.Gate(part.k), p.w.gone()) {
		return Gone, true
	}
	if p.events > 0 && !wait(s.Gap, nil, p.w.gone()) {
		return Gone, true
	}
	p.events++
	for text := part.text; text != ""; {
		n := len(text)
		if s.Split > 0 {
			n = min(n, s.Split)
		}
		if left := int64(s.SplitAt) - p.bytes; left > 0 && left < int64(n) {
			n = int(left)
		}
		cut := false
		if p.cutAt(AfterBytes) {
			left := int64(s.Cut.N) - p.bytes
			cut = left <= int64(n)
			n = int(min(left, int64(n)))
		}
		if n > 0 && p.w.body([]byte(text[:n])) != nil {
			return Gone, true
		}
		p.bytes += int64(n)
		if cut {
			outcome, _ := p.end()
			return outcome, true
		}
		if text = text[n:]; text != "" && !wait(s.Gap, nil, p.w.gone()) {
			return Gone, true
		}
	}
	if part.k > 0 {
		p.pieces = part.k
		p.u.update(p.e, func(e *Entry) { e.Pieces, e.Bytes = p.pieces, p.bytes })
	}
	return Running, false
}

// fill repeats the body up to the size that the script wants.
func (p *player) fill() (Outcome, bool) {
	s := &p.s
	if s.Fill == 0 {
		return Running, false
	}
	unit := s.Body
	if unit == "" {
		unit = "x"
	}
	block := []byte(strings.Repeat(unit, max(1, 32<<10/len(unit))))
	for s.Fill < 0 || p.bytes < s.Fill {
		if s.Fill > 0 {
			block = block[:min(int64(len(block)), s.Fill-p.bytes)]
		}
		if p.w.body(block) != nil {
			return Gone, true
		}
		p.bytes += int64(len(block))
		p.u.update(p.e, func(e *Entry) { e.Bytes = p.bytes })
	}
	return Running, false
}

func compressed(parts []part) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, joined(parts).text) // into memory
	_ = z.Close()
	return b.String()
}

// wait waits for a time and a channel. It reports false when the other side left meanwhile.
func wait(d time.Duration, until, gone <-chan struct{}) bool {
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-gone:
			return false
		}
	}
	if until != nil {
		select {
		case <-until:
		case <-gone:
			return false
		}
	}
	return true
}

// chunkHead is the size line of a chunk.
func chunkHead(n int) string { return strconv.FormatInt(int64(n), 16) + "\r\n" }
