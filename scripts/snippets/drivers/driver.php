<?php

declare(strict_types=1);

require __DIR__ . '/verify_webhook.php';

function read(string $field): string
{
    return $field === '-' ? '' : base64_decode($field, true);
}

while (($line = fgets(STDIN)) !== false) {
    [$secret, $id, $timestamp, $signature, $body, $now] = explode(' ', trim($line));
    $headers = [
        'webhook-id' => read($id),
        'webhook-timestamp' => read($timestamp),
        'webhook-signature' => read($signature),
    ];
    echo verify_webhook(read($secret), $headers, read($body), (int) $now) ? "ok\n" : "no\n";
}
