using System.Text;

static byte[] Read(string field) => field == "-" ? [] : Convert.FromBase64String(field);
static string Text(string field) => Encoding.UTF8.GetString(Read(field));

while (Console.ReadLine() is { } line)
{
    var fields = line.Split(' ');
    var headers = new Dictionary<string, string>
    {
        ["webhook-id"] = Text(fields[1]),
        ["webhook-timestamp"] = Text(fields[2]),
        ["webhook-signature"] = Text(fields[3]),
    };
    var valid = WebhookVerifier.Verify(Text(fields[0]), headers, Read(fields[4]), long.Parse(fields[5]));
    Console.WriteLine(valid ? "ok" : "no");
}
