package providers

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const redacted = "[redacted]"

// secretPatterns find what looks like a credential: vendors quote keys, whole or in part, in their error messages. The
// expressions are RE2 and thus linear in the input.
var secretPatterns = regexp.MustCompile(strings.Join([]string{
	`(?i:\bbearer\s+)[A-Za-z0-9._~+/=*-]{16,}`,
	`\b(?:sk|rk|csk|nvapi|pplx|xai|glpat)-[A-Za-z0-9_*.-]{4,}`,       // OpenAI, Anthropic, Cerebras, NVIDIA, ...
	`\b(?:sk|gsk|hf|r8|fw|tgp|ghp|gho|github_pat)_[A-Za-z0-9_*]{4,}`, // Groq, Hugging Face, Together, GitHub, ...
	`\bAIza[A-Za-z0-9_*-]{4,}`,                                       // Google
	`\borg-[A-Za-z0-9]{8,}`,                                          // OpenAI: whose account it is
	`\bya29\.[A-Za-z0-9._*-]{4,}`,                                    // Google OAuth
	`\b(?:AKIA|ASIA)[A-Z0-9*]{8,}`,                                   // AWS
	`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?`,    // JSON web tokens
	`(?i:[?&](?:key|api[-_]?key|token|access_token)=)[^&\s"'\\]+`,
}, "|"))

// clean makes a provider's text safe to show and to log: one line of valid UTF-8 without control characters or
// anything that looks like a credential.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.TrimSpace(secretPatterns.ReplaceAllString(s, redacted))
}

// redactBody removes credentials from an error body. It returns body itself when there are none. The replacement needs
// no escaping, so JSON stays JSON.
func redactBody(body []byte) []byte {
	if !secretPatterns.Match(body) {
		return body
	}
	return secretPatterns.ReplaceAll(body, []byte(redacted))
}

// cut shortens s to at most n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
