{{- define "posthorn.fullname" -}}
{{- if contains "posthorn" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-posthorn" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Of one component. Takes (dict "root" $ "component" name), as those below. */}}
{{- define "posthorn.selectorLabels" -}}
app.kubernetes.io/name: posthorn
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "posthorn.labels" -}}
{{ include "posthorn.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "posthorn.image" -}}
{{- printf "%s-%s:%s" .root.Values.image.repository .component (.root.Values.image.tag | default .root.Chart.AppVersion) -}}
{{- with get .root.Values.image.digests .component }}{{ printf "@%s" . }}{{ end -}}
{{- end -}}

{{/* Each component is given only the secrets that it reads; what it cannot do without it asks for itself, when it starts. */}}
{{- define "posthorn.secretEnv" -}}
{{- $keys := dict
  "setup" (list "DATABASE_URL" "KAFKA_SASL_PASSWORD")
  "ingest" (list "DATABASE_URL" "KAFKA_SASL_PASSWORD" "EGRESS_PROXY_URL" "SECRETS_KEYS" "SECRETS_KEY" "OPERATOR_KEY")
  "dispatcher" (list "DATABASE_URL" "KAFKA_SASL_PASSWORD" "SECRETS_KEYS" "SECRETS_KEY")
  "worker" (list "DATABASE_URL" "KAFKA_SASL_PASSWORD" "EGRESS_PROXY_URL" "SECRETS_KEYS" "SECRETS_KEY")
  "recorder" (list "DATABASE_URL" "KAFKA_SASL_PASSWORD") }}
{{- $own := eq .component "setup" | ternary .root.Values.setup (get .root.Values.services .component) }}
{{- $secret := $own.existingSecret | default .root.Values.existingSecret }}
{{- range get $keys .component }}
- name: {{ . }}
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: {{ . }}
      {{- if or (ne . "DATABASE_URL") (hasKey $.root.Values.config "DATABASE_URL_FILE") }}
      optional: true
      {{- end }}
{{- end }}
{{- end -}}

{{/* Certificates, where there are any. */}}
{{- define "posthorn.tlsMount" -}}
{{- if .Values.tlsSecret }}
- name: tls
  mountPath: /etc/posthorn/tls
  readOnly: true
{{- end }}
{{- end -}}

{{- define "posthorn.tlsVolume" -}}
{{- with .Values.tlsSecret }}
- name: tls
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- end -}}

{{- define "posthorn.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "posthorn.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}
