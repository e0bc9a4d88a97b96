package providers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
)

// TransportFault turns an error of a round trip, or of reading its response, into a fault. wroteRequest says that the
// request, or some of it, may have reached the provider: then it may have been worked on and billed.
//
// The message is one of a fixed set: errors of net/http quote URLs and addresses, which must not reach a client.
func TransportFault(err error, wroteRequest bool) Fault {
	f := Fault{Billed: BilledNo}
	if wroteRequest && !refusedStream(err) {
		f.Billed = BilledUnknown
		f.Class, f.Message = afterWriting(err)
		f.Dropped = dropped(err)
	} else {
		f.Class, f.Message = beforeWriting(err)
	}
	if f.Class == ClassInternal {
		f.Status = http.StatusServiceUnavailable
	}
	if errors.Is(err, context.Canceled) {
		f.Class, f.Message = ClassCanceled, "the request was canceled"
	}
	return f
}

// refusedStream reports whether an HTTP/2 server says that it has not looked at the request (RFC 9113, section 8.7): by
// refusing the stream, or by a GOAWAY whose last stream came before this one.
func refusedStream(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "REFUSED_STREAM") || strings.Contains(err.Error(), "graceful shutdown GOAWAY"))
}

// dropped reports whether the connection was closed without a word.
func dropped(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		err != nil && strings.Contains(err.Error(), "server closed idle connection")
}

func afterWriting(err error) (Class, string) {
	switch {
	case isTimeout(err):
		return ClassTimeout, "the provider did not answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ClassServerError, "the provider closed the connection before its answer was complete"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ClassServerError, "the provider reset the connection"
	}
	return ClassServerError, "the connection to the provider broke"
}

func beforeWriting(err error) (Class, string) {
	var dns *net.DNSError
	switch {
	case isUntrusted(err):
		return ClassTLS, "the provider's TLS certificate is not to be trusted"
	case isWrongTLS(err):
		return ClassTLS, "the provider does not speak an acceptable version of TLS"
	case errors.As(err, &dns):
		return ClassConnect, "the provider's host name could not be resolved"
	case isTimeout(err):
		return ClassConnect, "connecting to the provider took too long"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return ClassInternal, "the gateway has no file descriptors left for connections"
	case errors.Is(err, syscall.ECONNREFUSED):
		return ClassConnect, "the provider refused the connection"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return ClassConnect, "the provider cannot be reached"
	case refusedStream(err):
		return ClassConnect, "the provider refused the stream"
	}
	return ClassConnect, "no connection to the provider could be made"
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &t) && t.Timeout()
}

func isUntrusted(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		authority    x509.UnknownAuthorityError
		host         x509.HostnameError
		invalid      x509.CertificateInvalidError
		roots        x509.SystemRootsError
	)
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &host) ||
		errors.As(err, &invalid) || errors.As(err, &roots)
}

// isWrongTLS reports whether the handshake cannot ever succeed: no TLS at all, an old version, a client certificate
// that is wanted. These errors have no exported types.
func isWrongTLS(err error) bool {
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	var op *net.OpError
	local := errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error")
	if err == nil || !local && !strings.Contains(err.Error(), "tls: ") {
		return false
	}
	for _, s := range [...]string{"protocol version", "bad certificate", "certificate required", "unsupported version"} {
		if strings.Contains(err.Error(), s) {
			return true
		}
	}
	return false
}
