package responses

import (
	"slices"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// namespaceMark stands between the namespace and the name of a tool where the two are one name, as they are outside of
// this dialect. No wire allows it in a name, so encoders replace it, and the answer has it again.
const namespaceMark = "\x1f"

func (d *requestDecoder) tools(p *dialects.Place) {
	d.req.Tools = append(d.req.Tools, d.toolList(p, "")...)
}

// toolList reads declarations of tools, those of a namespace included.
func (d *requestDecoder) toolList(p *dialects.Place, namespace string) (list []conversation.Tool) {
	e := p.At(0)
	for ok := d.array(p); ok; ok = d.next(&e) {
		w := d.wireTool(&e)
		end := d.in.Mark()
		switch w.kind {
		case "function":
			d.in.Seek(w.start)
			list = append(list, d.function(&e, namespace))
		case "custom":
			list = append(list, d.custom(&e, &w, namespace))
		case "namespace":
			list = append(list, d.namespace(&e, &w)...)
		case "tool_search":
			if w.execution == "client" { // else the tools that it would find are all given at once
				list = append(list, d.clientSearch(&w))
			}
		default:
			list = append(list, d.hosted(&w))
		}
		d.in.Seek(end)
	}
	return list
}

// wireTool holds the members of a declaration that tell what it is.
type wireTool struct {
	start                              jsonedit.Mark
	kind, name, description, execution string
	format, tools, parameters          jsonedit.Mark
}

func (d *requestDecoder) wireTool(p *dialects.Place) wireTool {
	w := wireTool{start: d.in.Mark()}
	for ok := d.object(p); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "type":
			w.kind = d.text()
		case "name":
			w.name = d.text()
		case "description":
			w.description = d.text()
		case "execution":
			w.execution = d.text()
		case "format":
			w.format = d.in.Mark()
		case "tools":
			w.tools = d.in.Mark()
		case "parameters":
			w.parameters = d.in.Mark()
		}
	}
	if w.kind == "" {
		in := p.In("type")
		d.fail(&in, "%s must be a string", in.Path())
	}
	return w
}

// hosted keeps a tool that the vendor runs, or that its models alone know.
func (d *requestDecoder) hosted(w *wireTool) conversation.Tool {
	d.in.Seek(w.start)
	return conversation.Tool{Name: w.kind, Raw: d.in.Raw(), Origin: origin}
}

// clientSearch is the name of the search for tools that the client does itself. For other dialects it is a function, and
// what the client has found is declared from then on.
const clientSearch = namespaceMark + "tool_search"

func (d *requestDecoder) clientSearch(w *wireTool) conversation.Tool {
	t := conversation.Tool{Name: clientSearch, Description: w.description}
	if d.in.Seek(w.parameters); d.in.Peek() == '{' {
		t.Schema = d.in.Raw()
	}
	return t
}

// custom reads a free-text tool.
func (d *requestDecoder) custom(p *dialects.Place, w *wireTool, namespace string) conversation.Tool {
	if w.name == "" {
		in := p.In("name")
		d.fail(&in, "a custom tool must have a name")
	}
	t := d.hosted(w)
	t.Custom, t.Name, t.Description = true, inNamespace(namespace, w.name), w.description
	d.in.Seek(w.format)
	var g conversation.Grammar
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "syntax":
			g.Syntax = d.text()
		case "definition":
			g.Definition = d.text()
		}
	}
	if g.Definition != "" {
		t.Grammar = &g
	}
	if namespace != "" {
		t.Raw, t.Origin = nil, ""
	}
	return t
}

// namespace reads a group of tools. Other dialects have no groups: each tool is told what its group is for.
func (d *requestDecoder) namespace(p *dialects.Place, w *wireTool) []conversation.Tool {
	if w.name == "" {
		in := p.In("name")
		d.fail(&in, "a namespace must have a name")
		return nil
	}
	in := p.In("tools")
	d.in.Seek(w.tools)
	list := d.toolList(&in, w.name)
	for i := range list {
		if t := &list[i]; (t.Raw == nil || t.Custom) && w.description != "" {
			t.Description = strings.TrimSuffix(w.description+paragraph+t.Description, paragraph)
		}
	}
	return list
}

// inNamespace is the one name that stands for a namespace and a name in it.
func inNamespace(namespace, name string) string {
	if namespace == "" || name == "" {
		return name
	}
	return namespace + namespaceMark + name
}

// declare adds tools that were handed out in the course of the conversation, unless the request declares them as well.
func (d *requestDecoder) declare(p *dialects.Place, tools jsonedit.Mark) (list []conversation.Tool) {
	d.in.Seek(tools)
	if d.in.Peek() != '[' {
		return nil
	}
	in := p.In("tools")
	list = d.toolList(&in, "")
	d.late = append(d.late, list...)
	return list
}

func (d *requestDecoder) joinLate() {
	if len(d.late) == 0 && !d.grouped {
		return
	}
	d.declared = make(map[string]bool, len(d.req.Tools)+len(d.late))
	for i := range d.req.Tools {
		d.declared[d.req.Tools[i].Name] = true
	}
	for i := range d.late {
		if t := &d.late[i]; !d.declared[t.Name] {
			d.req.Tools = append(d.req.Tools, *t)
			d.declared[t.Name] = true
		}
	}
}

// settleNames takes the namespace off the calls of tools that were not declared in it: a model names one for every tool
// that was loaded late, in a namespace or not.
func (d *requestDecoder) settleNames() {
	if !d.grouped {
		return
	}
	settle := func(name *string) {
		namespace, inner, ok := strings.Cut(*name, namespaceMark)
		if ok && namespace != "" && !d.declared[*name] && (namespace == inner || d.declared[inner]) {
			*name = inner
		}
	}
	for i := range d.req.Messages {
		for _, b := range d.req.Messages[i].Blocks {
			switch b.Kind {
			case conversation.Call:
				settle(&b.Call.Name)
			case conversation.Result:
				settle(&b.Result.Name)
			}
		}
	}
	settle(&d.req.Choice.Name)
	for i := range d.req.Choice.Allowed {
		settle(&d.req.Choice.Allowed[i])
	}
}

// function reads a function. Unlike chat completions, the dialect is strict unless told otherwise; a schema that strict
// mode would have to rewrite first is taken as it is, and not strictly, because other vendors refuse it otherwise.
func (d *requestDecoder) function(p *dialects.Place, namespace string) (t conversation.Tool) {
	for ok := d.object(p); ok; ok = d.in.Next() {
		key := d.in.Key()
		if d.in.Peek() == 'n' {
			continue
		}
		in := p.In(key)
		switch key {
		case "name":
			t.Name = inNamespace(namespace, d.str(&in))
		case "description":
			t.Description = d.str(&in)
		case "parameters":
			if d.in.Peek() != '{' {
				d.fail(&in, "%s must be a JSON Schema object", in.Path())
			}
			t.Schema = d.in.Raw()
		case "strict":
			t.Strict = d.boolean(&in)
		case "type", "defer_loading": // a tool that is not loaded later is given at once
		default:
			d.keep("tools."+key, d.in.Raw())
		}
	}
	if t.Name == "" {
		in := p.In("name")
		d.fail(&in, "a function must have a name")
	}
	if t.Strict == nil && t.Schema != nil {
		in := jsonedit.NewReader(t.Schema)
		if isStrict(&in) {
			yes := true
			t.Strict = &yes
		}
	}
	return t
}

// isStrict reports whether a schema meets the demands of strict mode: objects take no other properties than those they
// name, and all of these are required.
func isStrict(in *jsonedit.Reader) bool {
	if in.Peek() == '[' {
		strict := true
		for ok := in.Array(); ok; ok = in.Next() {
			strict = isStrict(in) && strict
		}
		return strict
	}
	if in.Peek() != '{' {
		in.Skip()
		return true
	}
	properties, required, closed, strict := -1, 0, false, true
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "properties":
			if in.Peek() != '{' {
				strict = false
				continue
			}
			properties = 0
			for ok := in.Object(); ok; ok = in.Next() {
				in.Key()
				properties++
				strict = isStrict(in) && strict
			}
		case "required":
			for ok := in.Array(); ok; ok = in.Next() {
				required++
			}
		case "additionalProperties":
			closed = in.Peek() == 'f'
		case "enum", "const", "default", "examples":
			in.Skip()
		default:
			strict = isStrict(in) && strict
		}
	}
	return strict && (properties < 0 || closed && required == properties)
}

// toolChoice reads tool_choice. One of a tool that the vendor runs cannot be kept by another vendor.
func (d *requestDecoder) toolChoice(p *dialects.Place) {
	c := &d.req.Choice
	if s, ok := d.in.Text(); ok {
		if c.Mode = choiceMode(s); c.Mode == conversation.ChoiceUnset {
			d.fail(p, "tool_choice must be none, auto, required or an object")
		}
		return
	}
	var kind, name, namespace, mode string
	var tools jsonedit.Mark
	for ok := d.object(p); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "type":
			kind = d.text()
		case "name":
			name = d.text()
		case "namespace":
			namespace = d.text()
		case "mode":
			mode = d.text()
		case "tools":
			tools = d.in.Mark()
		}
	}
	end := d.in.Mark()
	switch {
	case kind == "allowed_tools":
		if c.Mode = choiceMode(mode); c.Mode != conversation.ChoiceAuto && c.Mode != conversation.ChoiceRequired {
			in := p.In("mode")
			d.fail(&in, "the mode of allowed_tools must be auto or required")
			return
		}
		d.in.Seek(tools)
		in := p.In("tools")
		d.allowed(&in)
	case name != "" && (kind == "function" || kind == "custom"):
		c.Mode, c.Name = conversation.ChoiceTool, inNamespace(namespace, name)
		d.grouped = d.grouped || namespace != ""
	case kind == "" || kind == "function" || kind == "custom":
		d.fail(p, "tool_choice must name a tool")
		return
	default:
		d.fail(p, "tool_choice demands the tool %s, which the provider of this model does not have; leave tool_choice out or choose a function", kind)
	}
	d.in.Seek(end)
}

// allowed reads the tools that may be called. Of those that the vendor runs there is none to be called elsewhere.
func (d *requestDecoder) allowed(p *dialects.Place) {
	c := &d.req.Choice
	for ok := d.array(p); ok; ok = d.in.Next() {
		var name, namespace string
		for ok := d.in.Object(); ok; ok = d.in.Next() {
			switch d.in.Key() {
			case "name":
				name = d.text()
			case "namespace":
				namespace = d.text()
			}
		}
		if name != "" {
			c.Allowed = append(c.Allowed, inNamespace(namespace, name))
			d.grouped = d.grouped || namespace != ""
		}
	}
	if len(c.Allowed) == 0 && c.Mode == conversation.ChoiceAuto {
		c.Mode = conversation.ChoiceNone
	}
	d.choiceOfNone = len(c.Allowed) == 0
}

// checkChoice refuses a demand for a call where the provider of the model can be given no tool to call.
func (d *requestDecoder) checkChoice() {
	if d.req.Choice.Mode != conversation.ChoiceRequired {
		return
	}
	callable := func(t conversation.Tool) bool { return t.Raw == nil || t.Custom }
	if d.choiceOfNone || len(d.req.Tools) > 0 && !slices.ContainsFunc(d.req.Tools, callable) {
		d.fail(&dialects.Place{Key: "tool_choice"}, "tool_choice demands a call of tools that the provider of this model does not have; leave tool_choice out")
	}
}

func choiceMode(s string) conversation.ChoiceMode {
	switch s {
	case "auto":
		return conversation.ChoiceAuto
	case "none":
		return conversation.ChoiceNone
	case "required":
		return conversation.ChoiceRequired
	}
	return conversation.ChoiceUnset
}
