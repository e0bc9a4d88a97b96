package llmgateway

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

// serveModels lists the public models, or describes one of them, in the shape that the caller's headers ask for. It is
// free: it counts against no limit and is no use of a provider.
func (h *Handler) serveModels(w http.ResponseWriter, r *http.Request, ep endpoint) error {
	if ep.dialect == providers.Chat {
		ep.dialect = callerDialect(r.Header)
	}
	x := h.newExchange(w, r, ep)
	x.identify()
	if !x.authorized() {
		return x.unauthorized()
	}
	t := h.currentTable()
	names := t.publicNames()
	var body []byte
	if ep.kind == endpointModel {
		if err := checkModelName(ep.model); err != nil {
			return x.reject(err)
		}
		if t.resolve(ep.model) == nil {
			return x.reject(t.unknown(ep.model))
		}
		body = appendModel(nil, ep.dialect, strings.Clone(ep.model))
	} else {
		body = appendModels(nil, ep.dialect, names)
	}
	head := w.Header()
	head["Content-Type"] = contentTypeJSON
	head["Content-Length"] = []string{strconv.Itoa(len(body))}
	head[gatewayHeader] = []string{strconv.Itoa(len(names))}
	x.setHeaders()
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(body)
	return err
}

// callerDialect tells by its headers what a client of a path speaks that several vendors have. Google's SDKs ask below /v1,
// too.
func callerDialect(h http.Header) providers.Dialect {
	switch {
	case h.Get("Anthropic-Version") != "":
		return providers.Messages
	case h.Get("X-Goog-Api-Client") != "" || h.Get("X-Goog-Api-Key") != "":
		return providers.Gemini
	}
	return providers.Chat
}

// publicNames lists what a client may ask for: the configured names, or, where there are none, what the providers are
// known to have, as provider/model.
func (t *table) publicNames() []string {
	names := slices.Clone(t.names)
	if t.h.ModelsOnly || len(names) > 0 {
		return names
	}
	for _, p := range t.providers {
		listed := p.models
		if listed == nil {
			listed = t.book.Models(p.defaults.PriceBook)
		}
		for _, m := range listed {
			if !strings.Contains(m, "*") {
				names = append(names, p.name+"/"+m)
			}
		}
		if len(listed) == 0 {
			names = append(names, p.name+"/"+p.name)
		}
	}
	return names
}

// created stands in for the date that a public name does not have.
const created = 1735689600 // 2025-01-01

func appendModels(dst []byte, d providers.Dialect, names []string) []byte {
	switch d {
	case providers.Messages:
		dst = append(dst, `{"data":[`...)
	case providers.Gemini:
		dst = append(dst, `{"models":[`...)
	default:
		dst = append(dst, `{"object":"list","data":[`...)
	}
	for i, n := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendModel(dst, d, n)
	}
	dst = append(dst, ']')
	if d == providers.Messages {
		dst = append(dst, `,"has_more":false`...)
		if len(names) > 0 {
			dst = jsonedit.AppendString(append(dst, `,"first_id":`...), names[0])
			dst = jsonedit.AppendString(append(dst, `,"last_id":`...), names[len(names)-1])
		} else {
			dst = append(dst, `,"first_id":null,"last_id":null`...)
		}
	}
	return append(dst, '}')
}

func appendModel(dst []byte, d providers.Dialect, name string) []byte {
	switch d {
	case providers.Messages:
		dst = jsonedit.AppendString(append(dst, `{"type":"model","id":`...), name)
		dst = jsonedit.AppendString(append(dst, `,"display_name":`...), name)
		return append(dst, `,"created_at":"2025-01-01T00:00:00Z"}`...)
	case providers.Gemini:
		// A Gemini client puts the name into a path, where a slash would end it.
		name = strings.Replace(name, "/", "--", 1)
		dst = jsonedit.AppendString(append(dst, `{"name":`...), "models/"+name)
		dst = jsonedit.AppendString(append(dst, `,"displayName":`...), name)
		return append(dst, `,"supportedGenerationMethods":["generateContent","streamGenerateContent"]}`...)
	}
	owner, _, ok := strings.Cut(name, "/")
	if !ok {
		owner = "llm_gateway"
	}
	dst = jsonedit.AppendString(append(dst, `{"id":`...), name)
	dst = strconv.AppendInt(append(dst, `,"object":"model","created":`...), created, 10)
	dst = jsonedit.AppendString(append(dst, `,"owned_by":`...), owner)
	return append(dst, '}')
}
