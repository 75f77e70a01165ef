{{- define "guest-tags.labels" -}}
app.kubernetes.io/part-of: guest-tags
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "guest-tags.image" -}}
{{ .Values.image.repository }}
{{- with .Values.image.digest }}@{{ . }}
{{- else }}:{{ required "image.tag is not set: say which build is to run" .Values.image.tag }}
{{- end }}
{{- end }}

{{/* Pod Security "restricted". Arguments: uid and gid, as the image made them; volumes are given to the group. */}}
{{- define "guest-tags.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ index . 0 }}
runAsGroup: {{ index . 1 }}
fsGroup: {{ index . 1 }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Argument: may the container write outside of its volumes? */}}
{{- define "guest-tags.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: {{ not . }}
capabilities: {drop: [ALL]}
{{- end }}

{{/* A claim's spec. Argument: size, className, and accessMode unless only one pod has it. */}}
{{- define "guest-tags.claim" -}}
accessModes: [{{ .accessMode | default "ReadWriteOnce" }}]
{{- with .className }}
storageClassName: {{ . }}
{{- end }}
resources: {requests: {storage: {{ .size }}}}
{{- end }}

{{/* Whether this chart runs a Citus cluster: "true", or nothing. */}}
{{- define "guest-tags.cluster" -}}
{{- if and .Values.warehouse.distributed.enabled (eq .Values.postgres.mode "internal") }}true{{ end }}
{{- end }}

{{/* Whether PostgreSQL of this chart answers by TLS alone: "true", or nothing. */}}
{{- define "guest-tags.postgresTls" -}}
{{- if .Values.secrets.postgresTls }}
{{- if ne .Values.postgres.mode "internal" }}{{ fail "secrets.postgresTls is for the server of this chart: somebody else's has its own certificate, and tls.caSecret names who believes it" }}{{ end }}
{{- if not .Values.tls.caSecret }}{{ fail "secrets.postgresTls without tls.caSecret: nobody would believe the server. make_secrets --own-ca makes both (docs/deploy.md, TLS to the services)" }}{{ end }}
{{- if .Values.warehouse.distributed.enabled }}{{ fail "secrets.postgresTls and warehouse.distributed.enabled: the nodes of the cluster speak without TLS to each other" }}{{ end -}}
true
{{- end }}
{{- end }}

{{/* The workers of the cluster, as the coordinator reaches them. */}}
{{- define "guest-tags.workers" -}}
{{- range $number := until (int .Values.warehouse.distributed.workers) }}{{ if $number }} {{ end }}postgres-worker-{{ $number }}.postgres-worker:5432{{ end }}
{{- end }}

{{/* The init container of a node of the cluster: by its file nodes log in to each other as the role whose statement they carry out. */}}
{{- define "guest-tags.passwords" -}}
- name: passwords
  image: {{ .Values.warehouse.distributed.image }}
  command:
    - bash
    - -ec
    - |
      umask 077
      say() { printf '*:*:*:%s:%s\n' "$1" "$(printf %s "$2" | sed 's/[\\:]/\\&/g')"; }
      { say postgres "$POSTGRES_PASSWORD"; say dwh_owner "$DWH_OWNER_PASSWORD"; say dwh_etl "$DWH_ETL_PASSWORD"
        say dwh_bi "$DWH_BI_PASSWORD"; say dwh_page "$DWH_PAGE_PASSWORD"; } > /passwords/pgpass
  envFrom: [{secretRef: {name: {{ .Values.secrets.server }}}}]
  resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 32Mi}}
  securityContext: {{- include "guest-tags.containerSecurity" false | nindent 4 }}
  volumeMounts: [{name: passwords, mountPath: /passwords}]
{{- end }}

{{/* The CA of the services, of a pod: nothing where there is none. */}}
{{- define "guest-tags.caVolume" -}}
{{- with .Values.tls.caSecret }}
- {name: services-ca, secret: {secretName: {{ . }}}}
{{- end }}
{{- end }}

{{- define "guest-tags.caMount" -}}
{{- if .Values.tls.caSecret }}
- {name: services-ca, mountPath: /run/services-ca, readOnly: true}
{{- end }}
{{- end }}

{{/* Said beside the addresses as well, but for that of Airflow's database: asyncpg takes it from here only. */}}
{{- define "guest-tags.caEnv" -}}
{{- if and .Values.tls.caSecret (or .Values.secrets.postgresTls (eq .Values.postgres.mode "external")) }}
- {name: PGSSLMODE, value: verify-full}
- {name: PGSSLROOTCERT, value: /run/services-ca/ca.crt}
{{- end }}
{{- end }}
