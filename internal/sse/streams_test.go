package sse

// streams are fixtures with the events that the standard makes of them, and what else is a frame.
var streams = []struct {
	name, stream string
	want         []event
}{
	{"nothing", "", nil},
	{"one event", "data: x\n\n", []event{{"data: x\n\n", none, "x", false}}},
	{"no space after the colon", "data:x\n\n", []event{{"data:x\n\n", none, "x", false}}},
	{"only one space is taken off", "data:  x \n\n", []event{{"data:  x \n\n", none, " x ", false}}},
	{"a tab stays", "data:\tx\n\n", []event{{"data:\tx\n\n", none, "\tx", false}}},
	{"no value", "data:\n\n", []event{{"data:\n\n", none, "", false}}},
	{"no colon", "data\n\n", []event{{"data\n\n", none, "", false}}},
	{"two lines without value", "data\ndata\n\n", []event{{"data\ndata\n\n", none, "\n", false}}},
	{
		"several lines", "data: a\ndata:b\n: c\ndata:\ndata:  d\n\n",
		[]event{{"data: a\ndata:b\n: c\ndata:\ndata:  d\n\n", none, "a\nb\n\n d", false}},
	},
	{"a name", "event: ping\ndata: {}\n\n", []event{{"event: ping\ndata: {}\n\n", "ping", "{}", false}}},
	{"the last name counts", "event: a\ndata: x\nevent:b\n\n", []event{{"event: a\ndata: x\nevent:b\n\n", "b", "x", false}}},
	{"a name without data", "event: ping\n\n", []event{{"event: ping\n\n", "ping", none, false}}},
	{"an empty name", "event\ndata: x\n\n", []event{{"event\ndata: x\n\n", "", "x", false}}},
	{
		"a name does not stay", "event: a\ndata: x\n\ndata: y\n\n",
		[]event{{"event: a\ndata: x\n\n", "a", "x", false}, {"data: y\n\n", none, "y", false}},
	},
	{
		"id, retry and unknown fields", "id: 1\nretry: 5\nfoo: bar\n: c\ndata: x\n\n",
		[]event{{"id: 1\nretry: 5\nfoo: bar\n: c\ndata: x\n\n", none, "x", false}},
	},
	{
		"fields that only look alike", "Data: a\n data: b\ndatax: c\ndat: d\nevents: e\ndata : f\n\n",
		[]event{{"Data: a\n data: b\ndatax: c\ndat: d\nevents: e\ndata : f\n\n", none, none, false}},
	},
	{"a comment", ": keep-alive\n\ndata: x\n\n", []event{{": keep-alive\n\n", none, none, false}, {"data: x\n\n", none, "x", false}}},
	{"a comment that looks like data", ":data: x\n\n", []event{{":data: x\n\n", none, none, false}}},
	{
		"blank lines", "\n\ndata: x\n\n\n",
		[]event{{"\n", none, none, false}, {"\n", none, none, false}, {"data: x\n\n", none, "x", false}, {"\n", none, none, false}},
	},
	{
		"CRLF", "event: e\r\ndata: x\r\ndata: y\r\n\r\ndata: z\r\n\r\n",
		[]event{{"event: e\r\ndata: x\r\ndata: y\r\n\r\n", "e", "x\ny", false}, {"data: z\r\n\r\n", none, "z", false}},
	},
	{"CR", "data: x\rdata: y\r\rdata: z\r\r", []event{{"data: x\rdata: y\r\r", none, "x\ny", false}, {"data: z\r\r", none, "z", false}}},
	{
		"mixed line ends", "data: a\r\ndata: b\rdata: c\n\r\ndata: d\r\n\ndata: e\n\r",
		[]event{
			{"data: a\r\ndata: b\rdata: c\n\r\n", none, "a\nb\nc", false},
			{"data: d\r\n\n", none, "d", false},
			{"data: e\n\r", none, "e", false},
		},
	},
	{"LF before CR are two line ends", "data: a\n\rdata: b\n\n", []event{{"data: a\n\r", none, "a", false}, {"data: b\n\n", none, "b", false}}},
	{"a byte order mark", "\xEF\xBB\xBFdata: x\n\n", []event{{"\xEF\xBB\xBFdata: x\n\n", none, "x", false}}},
	{
		"a byte order mark before several lines", "\xEF\xBB\xBFdata: x\ndata: y\n\n",
		[]event{{"\xEF\xBB\xBFdata: x\ndata: y\n\n", none, "x\ny", false}},
	},
	{
		"a byte order mark and a blank line", "\xEF\xBB\xBF\ndata: x\n\n",
		[]event{{"\xEF\xBB\xBF\n", none, none, false}, {"data: x\n\n", none, "x", false}},
	},
	{"two byte order marks", "\xEF\xBB\xBF\xEF\xBB\xBFdata: x\n\n", []event{{"\xEF\xBB\xBF\xEF\xBB\xBFdata: x\n\n", none, none, false}}},
	{
		"a byte order mark later on", "\n\xEF\xBB\xBFdata: x\n\n",
		[]event{{"\n", none, none, false}, {"\xEF\xBB\xBFdata: x\n\n", none, none, false}},
	},
	{"invalid UTF-8, NUL and U+2028", "data: \xFF\x00\u2028\n\n", []event{{"data: \xFF\x00\u2028\n\n", none, "\xFF\x00\u2028", false}}},
	{
		"no final blank line", "data: x\n\ndata: [DONE]\n",
		[]event{{"data: x\n\n", none, "x", false}, {"data: [DONE]\n", none, "[DONE]", true}},
	},
	{"no final line end", "event: a\ndata: x\ndata: y", []event{{"event: a\ndata: x\ndata: y", "a", "x\ny", true}}},
	{"an end inside a field name", "data: x\n\nda", []event{{"data: x\n\n", none, "x", false}, {"da", none, none, true}}},
	{"an end after a CR", "data: x\r", []event{{"data: x\r", none, "x", true}}},
	{"an end inside a byte order mark", "\xEF\xBB", []event{{"\xEF\xBB", none, none, true}}},
}
