type Command = readonly [program: string, ...args: string[]];

/** How the snippet of a language is run: `driver` gives it one case a line and prints `ok` or `no` for each. */
export interface Language {
  /** As the guide's heading has it. */
  readonly name: string;
  /** Where the snippet goes; the drivers lie beside it under their own names. */
  readonly snippet: string;
  /** From the folder of drivers, and where each goes where that is not its own name. */
  readonly drivers: Readonly<Record<string, string>>;
  /** Succeeds where the toolchain is there. */
  readonly probe: Command;
  readonly build?: Command;
  readonly run: Command;
  /** Needs neither a compiler nor the network: in every run of the unit tests. */
  readonly isQuick?: true;
}

export const LANGUAGES: readonly Language[] = [
  {
    name: 'Node',
    snippet: 'verify-webhook.mjs',
    drivers: { 'driver.ts': 'driver.ts' },
    probe: [process.execPath, '--version'],
    run: [process.execPath, 'driver.ts'],
    isQuick: true,
  },
  {
    name: 'Python',
    snippet: 'verify_webhook.py',
    drivers: { 'driver.py': 'driver.py' },
    probe: ['python3', '--version'],
    run: ['python3', 'driver.py'],
    isQuick: true,
  },
  {
    name: 'Go',
    snippet: 'webhooks/verify.go',
    drivers: { 'main.go': 'main.go', 'go.mod': 'go.mod' },
    probe: ['go', 'version'],
    build: ['go', 'build', '-o', 'driver', '.'],
    run: ['./driver'],
  },
  {
    name: 'Ruby',
    snippet: 'verify_webhook.rb',
    drivers: { 'driver.rb': 'driver.rb' },
    probe: ['ruby', '--version'],
    run: ['ruby', '-W', 'driver.rb'],
    isQuick: true,
  },
  {
    name: 'PHP',
    snippet: 'verify_webhook.php',
    drivers: { 'driver.php': 'driver.php' },
    probe: ['php', '--version'],
    run: ['php', 'driver.php'],
    isQuick: true,
  },
  {
    name: 'Java',
    snippet: 'WebhookVerifier.java',
    drivers: { 'Driver.java': 'Driver.java' },
    probe: ['javac', '-version'],
    build: ['javac', '-Xlint:all', '-Werror', 'Driver.java', 'WebhookVerifier.java'],
    run: ['java', 'Driver'],
  },
  {
    name: 'C#',
    snippet: 'WebhookVerifier.cs',
    drivers: { 'Driver.cs': 'Driver.cs', 'driver.csproj': 'driver.csproj' },
    probe: ['dotnet', '--version'],
    build: ['dotnet', 'build', '--configuration', 'Release', '--output', 'built', '--nologo'],
    run: ['dotnet', 'built/driver.dll'],
  },
  {
    name: 'Rust',
    snippet: 'src/verify_webhook.rs',
    drivers: { 'main.rs': 'src/main.rs', 'Cargo.toml': 'Cargo.toml' },
    probe: ['cargo', '--version'],
    build: ['cargo', 'build', '--quiet'],
    run: ['target/debug/snippet'],
  },
  {
    name: 'Shell',
    snippet: 'verify-webhook.sh',
    drivers: { 'driver.sh': 'driver.sh' },
    probe: ['bash', '-c', 'openssl version && od --version && base64 --version'],
    run: ['bash', 'driver.sh'],
    isQuick: true,
  },
];
