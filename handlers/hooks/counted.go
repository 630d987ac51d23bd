package hooks

import "jauge/platforms"

// refusal is why a webhook request was not accepted: the label reason of jauge_webhook_refused_total. All its words are in
// this file: metrics begins each at 0, because increase() does not see the first of a series that appears with it.
type refusal string

// The refusals, beside those of platforms.Reasons.
const (
	refusedSize        refusal = "size"
	refusedSource      refusal = "source"
	refusedContentType refusal = "content_type"
	refusedBody        refusal = "body"
	refusedStore       refusal = "store" // authentic, but neither the store nor the journal could take it
)

// unknownSource stands for names that are not configured: what a caller typed is neither logged nor a label.
const unknownSource = "unknown"

// Refusals lists, by source, every reason that a webhook request is refused for; among them the one source that stands for
// what is not configured.
func Refusals(sources []string) map[string][]string {
	reasons := platforms.Reasons()
	for _, r := range []refusal{refusedSize, refusedSource, refusedContentType, refusedBody, refusedStore} {
		reasons = append(reasons, string(r))
	}
	bySource := map[string][]string{unknownSource: reasons}
	for _, source := range sources {
		bySource[source] = reasons
	}
	return bySource
}
