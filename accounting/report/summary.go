package report

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

// summaryModels is how many models a summary lists.
const summaryModels = 10

// Summary is what a dashboard of a household shows. It is flat, and amounts are plain numbers, because such dashboards pick
// members by name and format numbers themselves.
type Summary struct {
	Updated  string `json:"updated"`
	Timezone string `json:"timezone"`

	TodayCost         Dollars `json:"today_cost_usd"`
	TodayRequests     int64   `json:"today_requests"`
	TodayErrors       int64   `json:"today_errors"`
	TodayInputTokens  int64   `json:"today_input_tokens"`
	TodayOutputTokens int64   `json:"today_output_tokens"`
	TodayUnpriced     int64   `json:"today_unpriced"`

	YesterdayCost         Dollars `json:"yesterday_cost_usd"`
	YesterdayRequests     int64   `json:"yesterday_requests"`
	YesterdayErrors       int64   `json:"yesterday_errors"`
	YesterdayInputTokens  int64   `json:"yesterday_input_tokens"`
	YesterdayOutputTokens int64   `json:"yesterday_output_tokens"`
	YesterdayUnpriced     int64   `json:"yesterday_unpriced"`

	MonthCost         Dollars `json:"month_cost_usd"`
	MonthRequests     int64   `json:"month_requests"`
	MonthErrors       int64   `json:"month_errors"`
	MonthInputTokens  int64   `json:"month_input_tokens"`
	MonthOutputTokens int64   `json:"month_output_tokens"`
	MonthUnpriced     int64   `json:"month_unpriced"`

	// Models are the most expensive ones of the month.
	Models []SummaryModel `json:"models"`
}

// SummaryModel is what one model cost in a month.
type SummaryModel struct {
	Model    string  `json:"model"`
	Cost     Dollars `json:"cost_usd"`
	Requests int64   `json:"requests"`
}

// Dollars is an amount that is written as a plain number of dollars, with all its digits.
type Dollars accounting.Money

// MarshalJSON implements json.Marshaler.
func (d Dollars) MarshalJSON() ([]byte, error) { return accounting.Money(d).AppendDollars(nil), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (d *Dollars) UnmarshalJSON(b []byte) error {
	m, err := accounting.ParseMoney(string(b))
	*d = Dollars(m)
	return err
}

// Run asks all readers for the days since the beginning of the month, or since yesterday, and for the models of the month.
func (r *SummaryRequest) Run(ctx context.Context, readers []accounting.Reader) (*Summary, error) {
	loc := r.Now.Location()
	y, m, d := r.Now.Date()
	yesterday, month := dayStart(y, m, d-1, loc), dayStart(y, m, 1, loc)
	since := month
	if yesterday.Before(month) {
		since = yesterday
	}
	filter := accounting.Filter{Since: since, Until: r.Now, Match: r.Match}
	days, err := ask(ctx, readers, accounting.Query{Filter: filter, By: []string{"day"}, Location: loc})
	if err != nil {
		return nil, err
	}
	filter.Since = month
	models, err := ask(ctx, readers, accounting.Query{Filter: filter, By: []string{"model"}, Location: loc, Limit: summaryLimit(readers)})
	if err != nil {
		return nil, err
	}
	s := &Summary{Updated: r.Now.Format(time.RFC3339), Timezone: zoneName(r.Now), Models: []SummaryModel{}}
	s.add(days, r.Now.Format(time.DateOnly), yesterday.Format(time.DateOnly), r.Now.Format("2006-01-"))
	for _, sum := range models[:min(len(models), summaryModels)] {
		s.Models = append(s.Models, SummaryModel{Model: sum.Group[0], Cost: Dollars(sum.Cost), Requests: sum.Requests})
	}
	return s, nil
}

// summaryLimit is how many models each reader is asked for: of several, each has to name all it has.
func summaryLimit(readers []accounting.Reader) int {
	if len(readers) > 1 {
		return MaxRows
	}
	return summaryModels
}

func (s *Summary) add(days []accounting.Sum, today, yesterday, month string) {
	var t, y, m accounting.Sum
	for i := range days {
		day := days[i].Group[0]
		if day == today {
			add(&t, &days[i])
		}
		if day == yesterday {
			add(&y, &days[i])
		}
		if strings.HasPrefix(day, month) {
			add(&m, &days[i])
		}
	}
	s.TodayCost, s.TodayRequests, s.TodayErrors, s.TodayUnpriced = Dollars(t.Cost), t.Requests, t.Errors, t.Unpriced
	s.TodayInputTokens, s.TodayOutputTokens = t.Usage.TotalInput(), t.Usage.TotalOutput()
	s.YesterdayCost, s.YesterdayRequests, s.YesterdayErrors, s.YesterdayUnpriced = Dollars(y.Cost), y.Requests, y.Errors, y.Unpriced
	s.YesterdayInputTokens, s.YesterdayOutputTokens = y.Usage.TotalInput(), y.Usage.TotalOutput()
	s.MonthCost, s.MonthRequests, s.MonthErrors, s.MonthUnpriced = Dollars(m.Cost), m.Requests, m.Errors, m.Unpriced
	s.MonthInputTokens, s.MonthOutputTokens = m.Usage.TotalInput(), m.Usage.TotalOutput()
}

// Interface guards
var (
	_ json.Marshaler   = Dollars(0)
	_ json.Unmarshaler = (*Dollars)(nil)
)
