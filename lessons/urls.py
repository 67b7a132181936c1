"""Pages of the site, and the lab API."""

from django.urls import include, path

from lessons import files_api, lab_api, lab_terminals, progress_api, views, views_saved

urlpatterns = [
    path("", views.home, name="home"),
    path("courses/", views.course_list, name="course_list"),
    path("courses/<slug:course>/", views.course, name="course"),
    path("courses/<slug:course>/media/<path:path>", views.course_media, name="course_media"),
    path("courses/<slug:course>/<slug:chapter>/<slug:lesson>/", views.lesson, name="lesson"),
    path("courses/<slug:course>/<slug:chapter>/<slug:lesson>/done/", views.lesson_done, name="lesson_done"),
    path("courses/<slug:course>/<slug:chapter>/<slug:lesson>/progress/", progress_api.report, name="lesson_progress"),
    path("labs/", lab_api.start, name="lab_start"),
    path("labs/<uuid:lab_id>/", lab_api.show, name="lab"),
    path("labs/<uuid:lab_id>/keep/", lab_api.keep, name="lab_keep"),
    path("labs/<uuid:lab_id>/ports/<int:port>/share/", lab_api.share, name="lab_share"),
    path("labs/<uuid:lab_id>/unshare/", lab_api.unshare, name="lab_unshare"),
    path("labs/<uuid:lab_id>/stop/", lab_api.stop, name="lab_stop"),
    path("labs/<uuid:lab_id>/extend/", lab_api.extend, name="lab_extend"),
    path("labs/<uuid:lab_id>/terminals/", lab_terminals.open_one, name="lab_terminals"),
    path("labs/<uuid:lab_id>/terminals/<int:number>/rename/", lab_terminals.rename, name="lab_terminal_rename"),
    path("labs/<uuid:lab_id>/terminals/<int:number>/restart/", lab_terminals.restart, name="lab_terminal_restart"),
    path("labs/<uuid:lab_id>/terminals/<int:number>/close/", lab_terminals.close, name="lab_terminal_close"),
    path("labs/<uuid:lab_id>/terminals/<int:number>/transcript", lab_terminals.download_transcript, name="lab_transcript"),
    path("labs/<uuid:lab_id>/files/", include(files_api.urls)),
    path("labs/<uuid:lab_id>/save/", lab_api.save, name="lab_save"),
    path("saved/<uuid:saved_id>/lab/", views_saved.resume_json, name="saved_lab"),
    path("saved/<uuid:saved_id>/resume/", views_saved.resume, name="saved_resume"),
    path("saved/<uuid:saved_id>/delete/", views_saved.delete, name="saved_delete"),
]
