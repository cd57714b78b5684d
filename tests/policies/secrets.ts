/** Made-up secrets, put together here so that no scanner takes this file for a leak. */
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** Text that looks random and is always the same. */
function toNoise(length: number, alphabet: string, seed: number): string {
  let state = seed;
  let text = '';
  while (text.length < length) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    text += alphabet[(state >>> 16) % alphabet.length];
  }
  return text;
}

export const noise = (length: number, seed = 7): string => toNoise(length, letters, seed);
export const hexNoise = (length: number, seed = 7): string =>
  toNoise(length, '0123456789abcdef', seed);
const capitals = (length: number): string => toNoise(length, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 3);

const base64Lines = (count: number): string =>
  Array.from({ length: count }, (_, index) => noise(64, index + 11)).join('\n');

export const privateKey = (kind = 'RSA '): string =>
  [`-----BEGIN ${kind}PRIVATE KEY-----`, base64Lines(12), `-----END ${kind}PRIVATE KEY-----`].join(
    '\n',
  );

const jsonBase64 = (value: object): string =>
  Buffer.from(JSON.stringify(value)).toString('base64url');

/** One of each format, by the kind it is told as. */
export const samples: readonly (readonly [kind: string, secret: string])[] = [
  ['aws-access-key', `AKIA${capitals(16)}`],
  ['aws-access-key', `ASIA${capitals(16)}`],
  ['github-token', `ghp_${noise(36)}`],
  ['github-token', `ghs_${noise(36)}`],
  ['github-token', `github_pat_${noise(22)}_${noise(59)}`],
  ['gitlab-token', `glpat-${noise(20)}`],
  ['gitlab-token', `glrt-${noise(20)}`],
  ['npm-token', `npm_${noise(36)}`],
  ['pypi-token', `pypi-AgE${noise(60)}`],
  ['rubygems-token', `rubygems_${hexNoise(48)}`],
  ['crates-token', `cio${noise(32)}`],
  ['docker-token', `dckr_pat_${noise(27)}`],
  ['slack-token', `xoxb-123456789012-123456789012-${noise(24)}`],
  ['slack-token', `xapp-1-A0123456789-1234567890123-${hexNoise(64)}`],
  ['telegram-token', `:AA${noise(33)}`],
  ['stripe-key', `sk_live_${noise(24)}`],
  ['stripe-key', `rk_test_${noise(24)}`],
  ['stripe-webhook-secret', `whsec_${noise(32)}`],
  ['anthropic-key', `sk-ant-api03-${noise(80)}-AA`],
  ['openrouter-key', `sk-or-v1-${hexNoise(64)}`],
  ['openai-key', `sk-proj-${noise(48)}`],
  ['openai-key', `sk-${noise(48)}`],
  ['google-api-key', `AIza${noise(35)}`],
  ['google-oauth-secret', `GOCSPX-${noise(28)}`],
  ['google-oauth-token', `ya29.${noise(60)}`],
  ['google-oauth-token', `1//0${noise(50)}`],
  ['azure-storage-key', `AccountKey=${noise(86)}==`],
  ['digitalocean-token', `dop_v1_${hexNoise(64)}`],
  ['heroku-token', `HRKU-${noise(58)}`],
  ['huggingface-token', `hf_${noise(34)}`],
  ['replicate-token', `r8_${noise(37)}`],
  ['groq-key', `gsk_${noise(52)}`],
  ['xai-key', `xai-${noise(80)}`],
  ['perplexity-key', `pplx-${noise(48)}`],
  ['sendgrid-key', `SG.${noise(22)}.${noise(43)}`],
  ['mailgun-key', `key-${hexNoise(32)}`],
  ['shopify-token', `shpat_${hexNoise(32)}`],
  ['square-token', `sq0atp-${noise(22)}`],
  ['linear-key', `lin_api_${noise(40)}`],
  ['notion-token', `ntn_${noise(46)}`],
  ['notion-token', `secret_${noise(43)}`],
  ['figma-token', `figd_${noise(40)}`],
  ['postman-key', `PMAK-${hexNoise(24)}-${hexNoise(34)}`],
  ['databricks-token', `dapi${hexNoise(32)}`],
  ['vault-token', `hvs.${noise(90)}`],
  ['newrelic-key', `NRAK-${capitals(27)}`],
  ['grafana-token', `glsa_${noise(32)}_${hexNoise(8)}`],
  ['sentry-token', `sntryu_${hexNoise(64)}`],
  ['atlassian-token', `ATATT3${noise(180)}=${capitals(8)}`],
  ['doppler-token', `dp.pt.${noise(43)}`],
  ['planetscale-token', `pscale_tkn_${noise(43)}`],
  ['supabase-token', `sbp_${hexNoise(40)}`],
  ['age-secret-key', `AGE-SECRET-KEY-1${capitals(58)}`],
  [
    'jwt',
    `${jsonBase64({ alg: 'HS256', typ: 'JWT' })}.${jsonBase64({ sub: '1', name: 'A' })}.${noise(43)}`,
  ],
];
