package providers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestTransportErrorsAreClassified(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	for _, tc := range []struct {
		name   string
		err    error
		wrote  bool
		class  Class
		billed Billed
	}{
		{name: "refused", err: dial(syscall.ECONNREFUSED), class: ClassConnect},
		{name: "no route", err: dial(syscall.EHOSTUNREACH), class: ClassConnect},
		{name: "no such host", err: &net.DNSError{Err: "no such host", Name: "secret.internal", IsNotFound: true}, class: ClassConnect},
		{name: "dial timeout", err: dial(syscall.ETIMEDOUT), class: ClassConnect},
		{name: "deadline before writing", err: context.DeadlineExceeded, class: ClassConnect},
		{name: "reset before writing", err: syscall.ECONNRESET, class: ClassConnect},
		{name: "end of file before writing", err: io.EOF, class: ClassConnect},
		{name: "unknown authority", err: fmt.Errorf("x: %w", x509.UnknownAuthorityError{}), class: ClassTLS},
		{name: "wrong host", err: &tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "h"}}, class: ClassTLS},
		{name: "expired", err: x509.CertificateInvalidError{Reason: x509.Expired}, class: ClassTLS},
		{name: "no TLS at all", err: tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, class: ClassTLS},
		{name: "old TLS, said by the peer", err: &net.OpError{Op: "remote error", Err: errors.New("tls: protocol version not supported")}, class: ClassTLS},
		{name: "old TLS, found here", err: errors.New("tls: server selected unsupported protocol version 301"), class: ClassTLS},
		{name: "handshake broke", err: &net.OpError{Op: "remote error", Err: errors.New("tls: internal error")}, class: ClassConnect},
		{name: "no answer", err: os.ErrDeadlineExceeded, wrote: true, class: ClassTimeout, billed: BilledUnknown},
		{name: "closed", err: io.ErrUnexpectedEOF, wrote: true, class: ClassServerError, billed: BilledUnknown},
		{name: "reset", err: syscall.ECONNRESET, wrote: true, class: ClassServerError, billed: BilledUnknown},
		{name: "something", err: errors.New("http2: client connection lost"), wrote: true, class: ClassServerError, billed: BilledUnknown},
		{name: "stream refused", err: errors.New("stream error: stream ID 3; REFUSED_STREAM"), wrote: true, class: ClassConnect},
		{name: "canceled before writing", err: fmt.Errorf("x: %w", context.Canceled), class: ClassCanceled},
		{name: "canceled", err: context.Canceled, wrote: true, class: ClassCanceled, billed: BilledUnknown},
		{name: "nothing", class: ClassConnect},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.err
			if err != nil {
				err = &url.Error{Op: "Post", URL: "https://secret.internal/v1?key=sk-12345678", Err: err}
			}
			f := TransportFault(err, tc.wrote)
			if f.Class != tc.class || f.Billed != tc.billed || f.Status != 0 {
				t.Errorf("class %q billed %d, want %q %d", f.Class, f.Billed, tc.class, tc.billed)
			}
			if f.Message == "" || strings.Contains(f.Error(), "secret") || strings.Contains(f.Error(), "sk-") {
				t.Errorf("message %q", f.Message)
			}
		})
	}
}

func TestAnUntrustedServerIsATLSFault(t *testing.T) {
	served := false
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served = true }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err == nil {
		resp.Body.Close()
		t.Fatal("the certificate was trusted")
	}
	if f := TransportFault(err, false); f.Class != ClassTLS || served {
		t.Errorf("class %q for %v, served %v", f.Class, err, served)
	}
}
