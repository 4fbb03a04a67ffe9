import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Base64;
import java.util.Map;

public final class Driver {
    private static byte[] read(String field) {
        return field.equals("-") ? new byte[0] : Base64.getDecoder().decode(field);
    }

    private static String text(String field) {
        return new String(read(field), UTF_8);
    }

    public static void main(String[] arguments) throws Exception {
        var lines = new BufferedReader(new InputStreamReader(System.in, UTF_8));
        for (String line; (line = lines.readLine()) != null; ) {
            String[] fields = line.split(" ");
            var headers = Map.of(
                "webhook-id", text(fields[1]),
                "webhook-timestamp", text(fields[2]),
                "webhook-signature", text(fields[3]));
            long now = Long.parseLong(fields[5]);
            boolean valid = WebhookVerifier.verify(text(fields[0]), headers, read(fields[4]), now);
            System.out.println(valid ? "ok" : "no");
        }
    }
}
