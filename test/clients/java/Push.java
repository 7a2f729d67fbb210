import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/** Pushes, adds to and deletes groups as the Java clients do: HttpURLConnection, text format. Usage: java Push URL */
public final class Push {
    private final String gateway;

    private Push(String gateway) {
        this.gateway = gateway;
    }

    public static void main(String[] args) throws IOException {
        new Push(args[0]).run();
    }

    private void run() throws IOException {
        for (int number = 0; number < 12; number++) {
            send("PUT", path(number), "# TYPE batch_records gauge\nbatch_records{kind=\"read\"} " + number + "\n");
        }
        for (int number = 0; number < 12; number += 2) {
            send("POST", path(number), "# TYPE batch_errors_total counter\nbatch_errors_total " + number + "\n");
        }
        for (int number = 0; number < 3; number++) {
            send("DELETE", path(number), null);
        }
        send("PUT", "/metrics/job/java" + label("path", "/var/lib") + label("empty", ""), "batch_odd 1\n");
    }

    // The order of a HashMap is arbitrary; here it changes from push to push.
    private static String path(int number) {
        String instance = label("instance", "höst " + number);
        String zone = label("zone", "z" + number % 3);
        return "/metrics/job/java" + (Math.random() < 0.5 ? instance + zone : zone + instance);
    }

    private static String label(String name, String value) {
        if (value.isEmpty()) {
            return "/" + name + "@base64/=";
        }
        if (value.contains("/")) {
            byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
            return "/" + name + "@base64/" + Base64.getUrlEncoder().encodeToString(bytes);
        }
        return "/" + name + "/" + URLEncoder.encode(value, StandardCharsets.UTF_8);
    }

    private void send(String method, String path, String body) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) URI.create(gateway + path).toURL().openConnection();
        connection.setRequestProperty("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
        connection.setRequestMethod(method);
        connection.setConnectTimeout(10_000);
        connection.setReadTimeout(10_000);
        if (body != null) {
            connection.setDoOutput(true);
            try (OutputStream out = connection.getOutputStream()) {
                out.write(body.getBytes(StandardCharsets.UTF_8));
            }
        }
        try {
            int status = connection.getResponseCode();
            if (status / 100 != 2) {
                throw new IOException(method + " " + path + ": status " + status + " " + errorText(connection));
            }
        } finally {
            connection.disconnect();
        }
    }

    private static String errorText(HttpURLConnection connection) throws IOException {
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        if (connection.getErrorStream() != null) {
            connection.getErrorStream().transferTo(text);
        }
        return text.toString(StandardCharsets.UTF_8);
    }
}
