package chatcompletions

import (
	"bytes"

	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// holdsSignatures reports whether a request may have a reasoning_details or thought_signature, in which clients hold
// signatures of vendors of other dialects. Ordinary requests have none, and are found out at the speed of memory: the
// underscore is the rarest byte of these names.
func holdsSignatures(doc []byte) bool {
	return afterUnderscore(doc, func(rest []byte) bool {
		return bytes.HasPrefix(rest, detailsEnd) || bytes.HasPrefix(rest, signatureEnd)
	})
}

var detailsEnd, signatureEnd = []byte(`details"`), []byte(`signature"`)

// afterUnderscore reports whether f is true of what follows one of the underscores in a document.
func afterUnderscore(doc []byte, f func(rest []byte) bool) bool {
	for {
		i := bytes.IndexByte(doc, '_')
		if i < 0 {
			return false
		}
		if doc = doc[i+1:]; f(doc) {
			return true
		}
	}
}

// dropLabelled appends the edits that take labelled signatures out of a conversation: the vendors of this dialect cannot
// read them, and some refuse members that they do not know. What OpenRouter's or Google's own endpoints wrote has no
// label and stays.
func dropLabelled(doc []byte, obj *jsonedit.Object, edits []jsonedit.Edit) []jsonedit.Edit {
	messages, ok := obj.Get("messages")
	if !ok || !holdsSignatures(doc) {
		return edits
	}
	forEachObject(doc, messages, func(m *jsonedit.Object) {
		if details, ok := m.Get("reasoning_details"); ok {
			edits = dropDetails(doc, m, details, edits)
		}
		calls, ok := m.Get("tool_calls")
		if !ok {
			return
		}
		forEachObject(doc, calls, func(call *jsonedit.Object) {
			extra, ok := call.Get("extra_content")
			if !ok {
				return
			}
			in := jsonedit.NewReader(extra.Raw(doc))
			if _, _, foreign := maker(callSignature(&in)); foreign {
				edits = append(edits, jsonedit.RemoveMember(call, doc, extra))
			}
		})
	})
	return edits
}

// dropDetails removes the labelled entries of reasoning_details, and the pieces of text that belong to them.
func dropDetails(doc []byte, m *jsonedit.Object, list jsonedit.Member, edits []jsonedit.Edit) []jsonedit.Edit {
	kept := []byte{'['}
	foreign := false
	in := jsonedit.NewReader(list.Raw(doc))
	for ok := in.Array(); ok; ok = in.Next() {
		d := readDetail(&in)
		_, _, labelled := maker(d.signature)
		if foreign = foreign || labelled; !labelled && d.signature != "" {
			kept = append(jsonedit.AppendComma(kept), d.raw...)
		}
	}
	switch {
	case !foreign:
		return edits
	case len(kept) == 1:
		return append(edits, jsonedit.RemoveMember(m, doc, list))
	}
	return append(edits, jsonedit.ReplaceValue(list, append(kept, ']')))
}

// forEachObject calls f with the objects of an array.
func forEachObject(doc []byte, array jsonedit.Member, f func(*jsonedit.Object)) {
	in := jsonedit.NewReader(array.Raw(doc))
	for ok := in.Array(); ok; ok = in.Next() {
		if in.Peek() != '{' {
			continue
		}
		start := array.Start + int(in.Mark()) - 1
		var o jsonedit.Object
		if jsonedit.ScanObject(doc, start, start+len(in.Raw()), &o) == nil {
			f(&o)
		}
	}
}
