package providers

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const redacted = "[redacted]"

// secretPatterns find what looks like a credential: vendors quote keys, whole or in part, in their error messages. The
// expressions are RE2 and thus linear in the input.
var secretPatterns = regexp.MustCompile(strings.Join([]string{
	`\b[Bb]earer\s+[A-Za-z0-9._~+/=*-]{16,}`,
	`\b(?:sk|rk|csk|nvapi|pplx|xai|glpat)-[A-Za-z0-9_*.-]{4,}`,       // OpenAI, Anthropic, Cerebras, NVIDIA, ...
	`\b(?:sk|gsk|hf|r8|fw|tgp|ghp|gho|github_pat)_[A-Za-z0-9_*]{4,}`, // Groq, Hugging Face, Together, GitHub, ...
	`\bAIza[A-Za-z0-9_*-]{4,}`,                                       // Google
	`\borg-[A-Za-z0-9]{8,}`,                                          // OpenAI: whose account it is
	`\bya29\.[A-Za-z0-9._*-]{4,}`,                                    // Google OAuth
	`\b(?:AKIA|ASIA)[A-Z0-9*]{8,}`,                                   // AWS
	`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?`,    // JSON web tokens
	`[?&](?:key|api[-_]?key|token|access_token)=[^&\s"'\\]+`,
}, "|"))

// secretMarkers are substrings of which every match of secretPatterns has one. Looking for them first is a hundred times
// faster than the expressions, and most errors hold none.
var secretMarkers = []string{
	"earer", "sk-", "rk-", "csk-", "nvapi-", "pplx-", "xai-", "glpat-", "org-",
	"sk_", "hf_", "r8_", "fw_", "tgp_", "ghp_", "gho_", "github_pat_",
	"AIza", "ya29.", "AKIA", "ASIA", "eyJ", "key=", "token=",
}

func mayHoldSecret(s []byte) bool {
	return slices.ContainsFunc(secretMarkers, func(m string) bool { return bytes.Contains(s, []byte(m)) })
}

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
	if mayHoldSecret([]byte(s)) {
		s = secretPatterns.ReplaceAllString(s, redacted)
	}
	return strings.TrimSpace(s)
}

// redactBody removes credentials from an error body. It returns body itself when there are none. The replacement needs
// no escaping, so JSON stays JSON.
func redactBody(body []byte) []byte {
	if !mayHoldSecret(body) || !secretPatterns.Match(body) {
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
