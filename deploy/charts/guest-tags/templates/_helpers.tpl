{{- define "guest-tags.labels" -}}
app.kubernetes.io/part-of: guest-tags
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "guest-tags.image" -}}
{{ .Values.image.repository }}:{{ required "image.tag is not set: say which build is to run" .Values.image.tag }}
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
