import { formatGoFloat } from "../exposition/go-float.ts";
import type { LabelPairs, Metric, MetricType } from "../exposition/model.ts";
import { goQuote } from "../sharding/go-quote.ts";

/**
 * A metric for an error message, as Go prints its protobuf: `label:{name:"job" value:"a"} gauge:{value:1}`. Go varies the
 * blanks between the fields on purpose, so that nobody reads this by program.
 */
export function describeMetric(type: MetricType, metric: Pick<Metric, "labels" | "value">): string {
  return `${describeLabels(metric.labels)}${describeValue(type, metric.value)}`;
}

function describeLabels(labels: LabelPairs): string {
  let text = "";
  for (let i = 0; i < labels.length; i += 2) {
    text += `label:{name:${goQuote(labels[i] as string)} value:${goQuote(labels[i + 1] as string)}} `;
  }
  return text;
}

function describeValue(type: MetricType, value: Metric["value"]): string {
  if (value === undefined) return "";
  if (typeof value === "number") return `${type}:{value:${formatNumber(value)}} `;
  const totals = `sample_count:${formatNumber(value.count)} sample_sum:${formatNumber(value.sum)}`;
  if (!("quantiles" in value)) return `${type}:{${totals}} `;
  const quantiles = value.quantiles.map(
    (quantile) => ` quantile:{quantile:${formatNumber(quantile.quantile)} value:${formatNumber(quantile.value)}}`,
  );
  return `${type}:{${totals}${quantiles.join("")}} `;
}

/** The text form of protobuf has its own words for what is no number. */
function formatNumber(value: number): string {
  if (Number.isNaN(value)) return "nan";
  return Number.isFinite(value) ? formatGoFloat(value) : value > 0 ? "inf" : "-inf";
}
