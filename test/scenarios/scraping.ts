import { type Prometheus, startPrometheus } from "../support/prometheus.ts";
import type { RouterProcess } from "../support/router.ts";

/** Once by http_sd as docs/operations.md has it, and once by /federate; the label `by` keeps them apart. */
export async function startScraping({ url, address }: RouterProcess): Promise<Prometheus> {
  const by = (job: string) => [{ target_label: "by", replacement: job }];
  return await startPrometheus({
    scrapeConfigs: [
      {
        job_name: "http_sd",
        honor_labels: true,
        http_sd_configs: [{ url: `${url}/sd/pushgateways`, refresh_interval: "1s" }],
        relabel_configs: [{ source_labels: ["__meta_dynamic_sharding_state"], regex: "down", action: "drop" }],
        metric_relabel_configs: by("http_sd"),
      },
      {
        job_name: "federate",
        honor_labels: true,
        metrics_path: "/federate",
        static_configs: [{ targets: [address] }],
        metric_relabel_configs: by("federate"),
      },
    ],
  });
}
