package responses

import (
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// hostedItem is how an item of a tool that only this dialect knows is told to the models of others.
type hostedItem struct {
	// members is what a model has to know of the item; the rest is the bookkeeping of its vendor.
	members []string
	// answer: the item is what came of a call, sent by the client.
	answer bool
}

var hostedItems = map[string]hostedItem{
	"web_search_call":         {members: []string{"action"}},
	"file_search_call":        {members: []string{"queries", "results"}},
	"code_interpreter_call":   {members: []string{"code", "outputs"}},
	"image_generation_call":   {members: []string{"revised_prompt"}},
	"mcp_call":                {members: []string{"server_label", "name", "arguments", "output", "error"}},
	"mcp_approval_request":    {members: []string{"server_label", "name", "arguments"}},
	"mcp_approval_response":   {members: []string{"approve", "reason"}, answer: true},
	"shell_call":              {members: []string{"action"}},
	"shell_call_output":       {members: []string{"output"}, answer: true},
	"local_shell_call":        {members: []string{"action"}},
	"local_shell_call_output": {members: []string{"output"}, answer: true},
	"apply_patch_call":        {members: []string{"operation"}},
	"apply_patch_call_output": {members: []string{"status", "output"}, answer: true},
	"computer_call":           {members: []string{"action", "actions"}},
	"function_call_output":    {members: []string{"output"}, answer: true}, // of a call above
}

// hostedItem reads an item that has no counterpart in other dialects. What a model has to know of it becomes a text, in
// the turn of the one who spoke; the rest is kept as it is, for this dialect alone.
func (d *requestDecoder) hostedItem(p *dialects.Place, w *wireItem) {
	if d.search(p, w) {
		return
	}
	if w.callID != "" && strings.HasSuffix(w.kind, "_call") {
		if d.foreign == nil {
			d.foreign = make(map[string]bool)
		}
		d.foreign[w.callID] = true
	}
	item, known := hostedItems[w.kind]
	switch {
	case w.kind == "computer_call_output":
		d.screenshot(w)
		return
	case w.kind == "image_generation_call":
		d.keep("input."+w.kind+".result", nil)
	}
	b := conversation.Block{Kind: conversation.Opaque, Origin: origin}
	if known {
		b = d.readable(w, item.members)
	} else {
		d.in.Seek(w.start)
		b.Raw = d.in.Raw()
	}
	if item.answer || strings.HasSuffix(w.kind, "_output") || strings.HasSuffix(w.kind, "_response") {
		d.answer(b)
	} else {
		d.assistant(b)
	}
}

// search reads the items by which tools are found, and declares those that were. A search that the client did is a call
// and its result; of one that the vendor did there is nothing else to tell.
func (d *requestDecoder) search(p *dialects.Place, w *wireItem) bool {
	switch w.kind {
	case "additional_tools":
		d.declare(p, w.tools)
	case "tool_search_call":
		if w.execution == "client" {
			w.name = clientSearch
			d.call(p, w)
		}
	case "tool_search_output":
		found := d.declare(p, w.tools)
		if d.names[w.callID] == clientSearch {
			d.answer(conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{
				CallID: w.callID, Name: clientSearch, Content: textBlocks(foundText(found)),
			}})
		}
	default:
		return false
	}
	return true
}

// foundText tells the model what a search has found. The tools themselves are declared.
func foundText(tools []conversation.Tool) string {
	if len(tools) == 0 {
		return "No tools were found."
	}
	names := make([]string, len(tools))
	for i := range tools {
		names[i] = strings.ReplaceAll(tools[i].Name, namespaceMark, " ")
	}
	return "These tools can be called now: " + strings.Join(names, ", ")
}

// readable is an item as a text: its type and the members wanted, as they stand. One that has none of them is opaque.
func (d *requestDecoder) readable(w *wireItem, members []string) conversation.Block {
	d.in.Seek(w.start)
	b := conversation.Block{Kind: conversation.Opaque, Raw: d.in.Raw(), Origin: origin}
	in := jsonedit.NewReader(b.Raw)
	said := []byte{'{'}
	for _, key := range members {
		in.Seek(1)
		if in.Seek(in.Get(key)); in.Peek() != 0 && in.Peek() != 'n' {
			said = jsonedit.AppendRawMember(said, key, in.Raw())
		}
	}
	if len(said) > 1 {
		b.Kind = conversation.Text
		b.Text = "[" + w.kind + " " + jsonedit.View(append(said, '}')) + "]"
	}
	return b
}

// screenshot reads what a computer showed.
func (d *requestDecoder) screenshot(w *wireItem) {
	d.in.Seek(w.start)
	b := conversation.Block{Kind: conversation.Opaque, Raw: d.in.Raw(), Origin: origin}
	d.in.Seek(w.output)
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		if d.in.Key() == "image_url" {
			if m := mediaFromURL(d.text()); m != nil {
				b.Kind, b.Media = conversation.Image, m
			}
		}
	}
	d.answer(b)
}
